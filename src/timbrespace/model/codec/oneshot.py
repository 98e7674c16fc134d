"""`oneshot`: short sounds as points, by a linear codec in closed form with a small residual VAE."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Decoded
from timbrespace.model.codec.linear import LinearCodecVAE, unknown
from timbrespace.model.conditioning.velocity import VelocityRange
from timbrespace.model.parts.masked_error import ImageError
from timbrespace.model.parts.pitch import HarmonicAxis
from timbrespace.model.parts.timegrid import averaging, interpolation, step_edges
from timbrespace.representation.companding import compand
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.spec import FeatureKind, FeatureSpec

_TAIL = 0.75  # a step of n frames has the weight n ** 0.75 in the objective: between equal weights of steps and of frames
# Weights of the levels of the attack's frames, of all frames, and of frames by their amplitude; all cells have 1.
_ATTACK, _COURSE, _LOUD = 0.3, 0.1, 1.0
_MU = 8.0
_LENGTH_MARGIN = 2  # frames by which a sound's image extends beyond its samples
_OVERSHOOT = 6.0  # dB over the loudest cell that interpolation between bands may reach
_GATE_DB_PER_FRAME = 12.0  # how fast features fall beyond the predicted end


class OneShot(LinearCodecVAE):
    """Short sounds as single points of the latent space.

        features ─ level off ─ coarser time ─ basis ─ coefficients ─┬─ first `dims`, whitened ─(+)─ mean
                                                                    └─ residual MLP ───────────┘
        latent ─┬─ transposed linear map ─(+)─ coefficients ─ basis ─ fine time ─ gate at the length ─ features
                └─ residual MLP ──────────┘└─ log2 length

    The level, that of the loudest cell, is subtracted; rendering sets it again. The length is decoded separately; features beyond it are
    left out of the loss and silent in the output. With notes, bands are resampled to harmonics of the pitch (`HarmonicAxis`), and the other
    entries of the latent are the same from note to note.

    attack: single frames at the onset. steps: of the coarse time axis. amplitude: weight of source B's error in the refinement, beside
    dB², for reconstructions that are near in amplitude rather than in level. notes: the lowest and highest MIDI number of the training
    sounds; null: sounds without a pitch; auto: training decides by the corpus. velocity: likewise, the lowest and highest velocity.
    spec: of levels in dB. The rest: see `LinearCodecVAE`.
    """

    noise_texture = True
    axis: HarmonicAxis | None

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Annotated[int, Field(ge=1, le=512)] = 32,
        coefficients: Annotated[int, Field(ge=1, le=2_048)] = 320,
        attack: Annotated[int, Field(ge=1, le=512)] = 24,
        steps: Annotated[int, Field(ge=2, le=1_024)] = 64,
        width: Annotated[int, Field(ge=8, le=4_096)] = 384,
        depth: Annotated[int, Field(ge=0, le=16)] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        refinement_steps: Annotated[int, Field(ge=0, le=1_000)] = 60,
        amplitude: Annotated[float, Field(ge=0, le=1e6)] = 0.0,
        notes: Annotated[Annotated[list[float], Field(min_length=2, max_length=2)] | Literal["auto"] | None, Field()] = "auto",
        velocity: Annotated[Annotated[list[float], Field(min_length=2, max_length=2)] | Literal["auto"] | None, Field()] = "auto",
    ):
        if spec.floor is None or spec.hop is None:
            raise ConfigError(f"the features are of {spec.kind.view}, and model oneshot learns levels in dB over a floor")
        axis = _axis(notes, spec.centres)
        edges = step_edges(spec.frames, attack=attack, steps=steps)
        super().__init__(
            spec, dims=dims, coefficients=coefficients,
            cells=spec.parts * (spec.bands if axis is None else len(axis.slots)) * (len(edges) - 1),
            width=width, depth=depth, dropout=dropout, refinement_steps=refinement_steps, axis=axis,
            velocities=VelocityRange(lowest=velocity[0], highest=velocity[1]) if isinstance(velocity, list) else None,
        )  # fmt: skip
        self.floor, self.hop, self.amplitude = spec.floor, spec.hop, amplitude
        self.attack, self.edges, self.steps = attack, edges, len(edges) - 1
        self._error: ImageError | None = None

    @classmethod
    def check_features(cls, kind: FeatureKind, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError unless the features are levels in dB over a floor, not normalised."""
        if kind.values != "levels":
            usable = ", ".join(name for name, view in REPRESENTATIONS.items() if view.values() == "levels")
            raise ConfigError(
                f"representation.name is {kind.view!r}, and model {settings['name']!r} learns levels in dB over a floor; "
                f"allowed with it are {usable}"
            )
        if kind.normalisation != "none":
            raise ConfigError(
                f"representation.normalisation is {kind.normalisation!r}, and model {settings['name']!r} learns levels in dB over a floor "
                "as they are; allowed with it is none"
            )

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns the sound `(channels, time)` as it is: its level is taken off the features."""
        return audio

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns images `(batch, cells)` of features in dB `(batch, parts, bands, up to the model's frames)`: level off, coarse time.

        conditions: `(batch, names)`, the last are MIDI numbers, NaN where unknown; a model without notes does not use them.
        """
        image = self._coarse(features)
        if self.axis is not None:
            image = self.axis.align(image, unknown(features) if conditions is None else conditions[:, -1]).clamp(-self.floor, _OVERSHOOT)
        return image.flatten(1)

    def _coarse(self, features: Tensor) -> Tensor:
        """Returns levels under the loudest cell, coarse in time: `(batch, parts, bands, frames) -> (batch, parts, bands, steps)`."""
        parts, bands, frames = self.spec.shape
        if features.ndim != 4 or tuple(features.shape[1:3]) != (parts, bands) or features.shape[3] > frames:
            raise ShapeError(f"features must be (batch, {parts}, {bands}, up to {frames}), not {tuple(features.shape)}")
        relative = (features - features.amax((1, 2, 3), keepdim=True)).clamp_min(-self.floor)
        if relative.shape[3] < self.spec.frames:
            relative = nn.functional.pad(relative, (0, self.spec.frames - relative.shape[3]), value=-self.floor)
        return relative @ averaging(self.edges).to(relative)

    def set_codec(self, mean: Tensor, basis: Tensor, scale: Tensor, length_statistics: Tensor) -> None:
        """Sets the codec, see `LinearCodecVAE`."""
        super().set_codec(mean, basis, scale, length_statistics)
        self._error = None

    def band_images(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns images over bands `(batch, parts, bands, steps)` and standardised lengths `(batch, 1)` of latents `(batch, dims)`."""
        coefficients, lengths = self.reconstruct(z)
        image = (coefficients @ self.basis + self.mean).reshape(len(z), self.spec.parts, -1, self.steps)
        return image if self.axis is None else self.axis.restore(image, self.axis.midi(z[:, -1:])), lengths

    def loss(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns the mean squared error in dB² a cell inside the sound."""
        return self._squared_error(coefficients, batch).mean()

    def errors(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns root mean square errors `(batch,)` in dB over the cells inside each sound."""
        return self._squared_error(coefficients, batch).sqrt()

    def _squared_error(self, coefficients: Tensor, batch: Batch) -> Tensor:
        if self._error is None or not self._error.fits(self.basis):  # the model may have moved to another device
            self._error = ImageError(self.basis, steps=self.steps)
        frames = torch.div(batch.lengths, self.hop, rounding_mode="floor") + 1 + _LENGTH_MARGIN
        inside = torch.searchsorted(self.edges.to(frames.device), frames.clamp_max(self.spec.frames)).clamp(1, self.steps)
        return self._error(coefficients, batch.values, inside)

    def _objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Callable[[Tensor], Tensor]:
        """Returns a function from latents `(batch, dims)` to objectives `(batch,)`.

        The objective is the squared difference in dB within the true lengths, with less weight for frames of the tail; plus that of the
        level of each frame, again for the attack, and again for all frames by their loudness. Cells beyond the end or under the floor
        do not count. With `amplitude`, the squared difference of companded amplitudes in % of full scale is added.
        """
        wanted = self._coarse(features).flatten(1, 2)
        level = _level(wanted)
        frames = (torch.div(lengths, self.hop, rounding_mode="floor") + 1)[:, None].to(wanted)
        edges = self.edges.to(wanted)
        inside = (torch.minimum(frames, edges[1:]) - edges[:-1]).clamp_min(0.0).pow(_TAIL)
        share = inside / inside.sum(1, keepdim=True)
        weight = (share / (self.spec.parts * self.spec.bands))[:, None]
        course = _COURSE * share
        loudness = torch.pow(10.0, (level - level.amax(1, keepdim=True)) / 20) * (inside > 0)
        course += _LOUD * loudness / loudness.sum(1, keepdim=True)
        course[:, : self.attack] += _ATTACK * (inside[:, : self.attack] > 0).to(wanted) / min(self.attack, self.steps)

        amplitudes = _companded(wanted) if self.amplitude else None

        def objective(z: Tensor) -> Tensor:
            image = self.band_images(z)[0].clamp_min(-self.floor).flatten(1, 2)
            error = ((image - wanted).square() * weight).sum((1, 2)) + ((_level(image) - level).square() * course).sum(1)
            if amplitudes is not None:
                error = error + self.amplitude * ((_companded(image) - amplitudes).square() * weight).sum((1, 2))
            return error

        return objective

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, frames)` of latents `(batch, dims)`, and `lengths (batch,)` in samples.

        The loudest cell is at 0 dB, and beyond the length is silence. lengths: decoded ones if None.
        """
        if z.ndim != 2 or z.shape[1] != self.dims:
            raise ShapeError(f"a latent must be (batch, {self.dims}), not {tuple(z.shape)}")
        image, standard = self.band_images(z)
        features = image @ interpolation(self.edges).to(image)
        features = features - features.amax((1, 2, 3), keepdim=True)
        most = self.spec.frames * self.hop - 1
        lengths = self.lengths_of(standard, lengths, most=most)
        beyond = torch.arange(self.spec.frames, device=z.device) - torch.div(lengths, self.hop, rounding_mode="floor")[:, None]
        features = features - _GATE_DB_PER_FRAME * beyond.clamp_min(0)[:, None, None]
        return Decoded(features.clamp_min(-self.floor), lengths)


def _axis(notes: list[float] | Literal["auto"] | None, centres: Sequence[float] | None) -> HarmonicAxis | None:
    if notes is None or notes == "auto":
        return None
    if centres is None:
        raise ConfigError("model.notes is given, and this representation has no bands in Hz; set model.notes to null")
    return HarmonicAxis(centres, lowest=notes[0], highest=notes[1])


def _companded(image: Tensor) -> Tensor:
    """Returns levels in dB as amplitudes companded by mu-law, mu = 8 (source B), in % of full scale; 0 dB is half of full scale."""
    return 100 * compand(0.5 * torch.pow(10.0, image / 20), mu=_MU)


def _level(image: Tensor) -> Tensor:
    """Returns the level of all cells of each step together, in dB: `(batch, parts * bands, steps) -> (batch, steps)`."""
    per_db = math.log(10) / 10
    return torch.logsumexp(image * per_db, 1) / per_db
