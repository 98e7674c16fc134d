"""`oneshot`: a linear codec in closed form with a small residual VAE trained inside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.adam import adam

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Decoded, Measured, Model, Posterior, kl_to_normal, sample
from timbrespace.model.image_error import ImageError
from timbrespace.model.layers import ResidualMLP
from timbrespace.model.pitch import FEATURES, HarmonicAxis, pitch_features
from timbrespace.model.timegrid import averaging, interpolation, step_edges

_SEARCH_RATE = 0.1  # of latents, whose spread is 1
# As a function: a torch.optim.Adam loads torch's compiler when it is made, more than a second.
_ADAM: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.999,
    "weight_decay": 0.0,
    "eps": 1e-8,
    "amsgrad": False,
    "maximize": False,
    "foreach": False,
}
_TAIL = 0.75  # a step of n frames counts as n ** 0.75 in the search: between every step alike and every frame alike
# Of the level of the attack's frames, of all frames, and of frames by their amplitude, beside that of all cells.
_ATTACK, _COURSE, _LOUD = 0.3, 0.1, 1.0
_LENGTH_MARGIN = 2  # frames by which a sound's image outlasts its samples
_OVERSHOOT = 6.0  # dB over the loudest cell that interpolating between bands may reach
_GATE_DB_PER_FRAME = 12.0  # how fast features fall beyond the predicted end


class OneShot(Model):
    """Whole short sounds as one point.

        features ─ level off ─ coarser time ─ basis ─ coefficients ─┬─ first `dims`, whitened ─(+)─ mean
                                                                    └─ residual MLP ───────────┘
        latent ─┬─ the same linear map back ─(+)─ coefficients ─ basis ─ fine time ─ gate at the length ─ features
                └─ residual MLP ─────────────┘└─ log2 length

    At the start both MLPs give zero, so the model *is* principal component analysis of the (augmented) corpus, and training can
    only add to it. Level is the sound's loudest cell: taken off before, given back by whoever renders. The length is a target of
    its own; features beyond it count neither in the loss nor in what is heard.

    With notes, the last number of the latent is the pitch, known and not inferred: images count their bands in harmonics of it
    (`pitch.HarmonicAxis`), the networks are told it, and the other numbers hold what is the same from note to note.

    dims: latent size. coefficients: size of the linear codec around it. attack: frames kept one by one; steps: of the coarse
    time axis in all. width, depth, dropout: of the MLPs. searching: steps from the encoder's guess to the nearest latent, for
    given sounds; training does without. notes: the lowest and highest MIDI number of the training sounds, or null for sounds without a
    pitch; auto: training decides by the corpus. parts, bands, frames, floor (dB), hop (samples), centres (Hz): of the representation.
    """

    mean: Tensor  # (parts * bands * steps,)
    basis: Tensor  # (coefficients, parts * bands * steps), orthonormal rows
    scale: Tensor  # (coefficients,), standard deviation of each coefficient
    length_statistics: Tensor  # (2,), mean and standard deviation of log2 length
    whole = False
    decibels = True

    def __init__(
        self,
        *,
        dims: Annotated[int, Field(ge=1, le=512)] = 32,
        coefficients: Annotated[int, Field(ge=1, le=2_048)] = 320,
        attack: Annotated[int, Field(ge=1, le=512)] = 24,
        steps: Annotated[int, Field(ge=2, le=1_024)] = 64,
        width: Annotated[int, Field(ge=8, le=4_096)] = 384,
        depth: Annotated[int, Field(ge=0, le=16)] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        searching: Annotated[int, Field(ge=0, le=1_000)] = 60,
        notes: Annotated[Annotated[list[float], Field(min_length=2, max_length=2)] | Literal["auto"] | None, Field()] = "auto",
        parts: int,
        bands: int,
        frames: int,
        floor: float,
        hop: int,
        centres: Sequence[float] | None = None,
    ):
        super().__init__()
        if dims > coefficients:
            raise ConfigError(
                f"dims is {dims}, the linear codec around it has only {coefficients} coefficients; lower dims or raise coefficients"
            )
        self.dims, self.coefficients, self.searching = dims, coefficients, searching
        self.parts, self.bands, self.frames, self.floor, self.hop = parts, bands, frames, floor, hop
        self.attack, self.edges = attack, step_edges(frames, attack=attack, steps=steps)
        self.steps = len(self.edges) - 1
        self.axis = _axis(notes, centres)
        self.pitched, self.told = self.axis is not None, int(self.axis is not None)
        self.free = dims - self.told
        if not self.free:
            raise ConfigError("dims is 1 and its one number would be the pitch; raise dims, or set notes to null")
        cells = parts * (bands if self.axis is None else len(self.axis.slots)) * self.steps
        if coefficients > cells:
            raise ConfigError(f"coefficients is {coefficients}, the features have only {cells} cells; lower it")
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("basis", torch.zeros(coefficients, cells))
        self.register_buffer("scale", torch.ones(coefficients))
        self.register_buffer("length_statistics", torch.tensor([15.0, 1.0]))
        told = FEATURES if self.pitched else 0
        self.encoder = ResidualMLP(coefficients + 1 + told, 2 * self.free, width=width, depth=depth, dropout=dropout)
        self.decoder = ResidualMLP(self.free + told, coefficients + 1, width=width, depth=depth, dropout=dropout)
        self.length_path = nn.Linear(dims, 1)
        self._error: ImageError | None = None

    def images(self, features: Tensor, pitches: Tensor | None = None) -> Tensor:
        """Features in dB to images: `(batch, parts, bands, up to the model's frames) -> (batch, cells)`, level off, coarser time.

        pitches: MIDI numbers `(batch,)`, NaN where unknown; a model without notes does not look at them.
        """
        image = self._coarse(features)
        if self.axis is not None:
            image = self.axis.align(image, _unknown(features) if pitches is None else pitches).clamp(-self.floor, _OVERSHOOT)
        return image.flatten(1)

    def _coarse(self, features: Tensor) -> Tensor:
        """`(batch, parts, bands, up to the model's frames) -> (batch, parts, bands, steps)`."""
        if features.ndim != 4 or tuple(features.shape[1:3]) != (self.parts, self.bands) or features.shape[3] > self.frames:
            raise ShapeError(f"features must be (batch, {self.parts}, {self.bands}, up to {self.frames}), not {tuple(features.shape)}")
        relative = (features - features.amax((1, 2, 3), keepdim=True)).clamp_min(-self.floor)
        if relative.shape[3] < self.frames:
            relative = nn.functional.pad(relative, (0, self.frames - relative.shape[3]), value=-self.floor)
        return relative @ averaging(self.edges).to(relative)

    def set_codec(self, mean: Tensor, basis: Tensor, scale: Tensor, length_statistics: Tensor) -> None:
        """Takes the closed-form codec: `(cells,)`, `(coefficients, cells)`, `(coefficients,)`, `(2,)`."""
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.scale.copy_(scale)
        self.length_statistics.copy_(length_statistics)
        self._error = None

    def project(self, images: Tensor) -> Tensor:
        """`(batch, cells) -> (batch, coefficients)`."""
        return (images - self.mean) @ self.basis.T

    def standard_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths in samples `(batch,)` as standardised log2 `(batch, 1)`."""
        return ((torch.log2(lengths.to(self.mean)) - self.length_statistics[0]) / self.length_statistics[1])[:, None]

    def facts(self, lengths: Tensor, pitch: Tensor | None = None) -> Tensor:
        """Known beside the image: lengths in samples, MIDI numbers (NaN: unknown) `(batch,)` -> standardised `(batch, 1; with notes 2)`."""
        standard = self.standard_lengths(lengths)
        if self.axis is None:
            return standard
        return torch.cat([standard, self.axis.standard(_unknown(standard) if pitch is None else pitch.to(standard))], 1)

    def posterior(self, batch: Batch) -> Posterior:
        """Coefficients `(batch, coefficients)`, lengths, pitches -> Posterior `(batch, dims)`; a pitch is certain: log variance -inf."""
        coefficients, facts = batch.values, self.facts(batch.lengths, batch.pitches)
        # Weak coefficients are not blown up to full size: most of what they hold is noise.
        standard = coefficients / (self.scale + 0.05 * self.scale[0])
        length, pitch = facts[:, :1], facts[:, 1:]
        told = [pitch_features(pitch)] if self.pitched else []
        change, log_variance = self.encoder(torch.cat([standard, length, *told], 1)).chunk(2, 1)
        linear = coefficients[:, : self.free] / self.scale[: self.free]
        log_variance = (log_variance - 3.0).clamp(-14.0, 4.0)
        return Posterior(torch.cat([linear + change, pitch], 1), torch.cat([log_variance, torch.full_like(pitch, -torch.inf)], 1))

    def reconstruct(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, dims)` -> coefficients `(batch, coefficients)`, standardised lengths `(batch, 1)`."""
        timbre, pitch = z[:, : self.free], z[:, self.free :]
        told = torch.cat([timbre, pitch_features(pitch)], 1) if self.pitched else timbre
        change, length = self.decoder(told).split([self.coefficients, 1], 1)
        linear = nn.functional.pad(timbre * self.scale[: self.free], (0, self.coefficients - self.free))
        return linear + change * self.scale.square().mean().sqrt(), length + self.length_path(z)

    def band_images(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, dims)` -> images over bands `(batch, parts, bands, steps)`, standardised lengths `(batch, 1)`."""
        coefficients, lengths = self.reconstruct(z)
        image = (coefficients @ self.basis + self.mean).reshape(len(z), self.parts, -1, self.steps)
        return image if self.axis is None else self.axis.restore(image, self.axis.midi(z[:, self.free :])), lengths

    def encode(self, features: Tensor, lengths: Tensor, pitch: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)` in dB and true lengths in samples `(batch,)` -> Posterior `(batch, dims)`.

        pitch: MIDI numbers `(batch,)`, for a model with notes; the middle of its range where unknown (None, NaN).
        """
        return self.posterior(Batch(self.project(self.images(features, pitch)), lengths, pitch))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """reconstruction in dB² a cell inside the sound, kl `(dims,)` in nats, length in standard deviations squared; see `Model`."""
        posterior = self.posterior(batch)
        coefficients, lengths = self.reconstruct(sample(posterior))
        return {
            "reconstruction": self._squared_error(coefficients, batch).mean(),
            "kl": kl_to_normal(posterior).mean(0),
            "length": (lengths - self.standard_lengths(batch.lengths)).square().mean(),
        }

    def measure(self, batch: Batch) -> Measured:
        """Errors in dB: the root of the mean square over the cells inside a sound."""
        posterior = self.posterior(batch)
        found, _ = self.reconstruct(posterior.mean)
        return Measured(self._squared_error(found, batch).sqrt(), kl_to_normal(posterior).mean(0))

    def _squared_error(self, coefficients: Tensor, batch: Batch) -> Tensor:
        if self._error is None:
            self._error = ImageError(self.basis, steps=self.steps)
        frames = torch.div(batch.lengths, self.hop, rounding_mode="floor") + 1 + _LENGTH_MARGIN
        inside = torch.searchsorted(self.edges.to(frames.device), frames.clamp_max(self.frames)).clamp(1, self.steps)
        return self._error(coefficients, batch.values, inside)

    def search(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """Descends from `z (batch, dims)` to the latent whose features are nearest within the true lengths `(batch,)`: `(batch, dims)`.

        The encoder must guess for sounds that it never heard; the decoder tells how good the guess was. The error is the squared
        difference in dB, frames of the tail counting a little less each, plus that of the whole level of every frame, once more of the
        first ones: the attack, and once more of all by how loud they are: where the peak is. What lies beyond the end or under the
        floor counts nowhere. Adam with a falling rate; each sound on its own. A pitch stays as it is.
        """
        misfit = self._misfit(features, lengths)
        found = z.detach().clone().requires_grad_()
        first, second, count = torch.zeros_like(z), torch.zeros_like(z), torch.zeros(())  # what Adam keeps
        with torch.enable_grad():
            for step in range(self.searching):
                rate = _SEARCH_RATE * (1 - step / self.searching)
                (slope,) = torch.autograd.grad(misfit(found).sum(), [found])
                slope[:, self.free :] = 0.0
                with torch.no_grad():
                    adam([found], [slope], [first], [second], [], [count], lr=rate, **_ADAM)
        return found.detach()

    def misfit(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """What `search` makes small, `(batch,)` dB²: of sounds and latents `(batch, dims)`."""
        with torch.no_grad():
            return self._misfit(features, lengths)(z)

    def _misfit(self, features: Tensor, lengths: Tensor) -> Callable[[Tensor], Tensor]:
        wanted = self._coarse(features).flatten(1, 2)
        level = _level(wanted)
        frames = (torch.div(lengths, self.hop, rounding_mode="floor") + 1)[:, None].to(wanted)
        edges = self.edges.to(wanted)
        inside = (torch.minimum(frames, edges[1:]) - edges[:-1]).clamp_min(0.0).pow(_TAIL)
        share = inside / inside.sum(1, keepdim=True)
        weight = (share / (self.parts * self.bands))[:, None]
        course = _COURSE * share
        loudness = torch.pow(10.0, (level - level.amax(1, keepdim=True)) / 20) * (inside > 0)
        course += _LOUD * loudness / loudness.sum(1, keepdim=True)
        course[:, : self.attack] += _ATTACK * (inside[:, : self.attack] > 0).to(wanted) / min(self.attack, self.steps)

        def misfit(z: Tensor) -> Tensor:
            image = self.band_images(z)[0].clamp_min(-self.floor).flatten(1, 2)
            return ((image - wanted).square() * weight).sum((1, 2)) + ((_level(image) - level).square() * course).sum(1)

        return misfit

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """`(batch, dims)` -> features `(batch, parts, bands, frames)`, loudest cell 0 dB, silent beyond `lengths (batch,)` in samples.

        lengths: asked for; the ones that the latent itself holds if None.
        """
        if z.ndim != 2 or z.shape[1] != self.dims:
            raise ShapeError(f"a latent must be (batch, {self.dims}), not {tuple(z.shape)}")
        image, standard = self.band_images(z)
        features = image @ interpolation(self.edges).to(image)
        features = features - features.amax((1, 2, 3), keepdim=True)
        most = self.frames * self.hop - 1
        log_length = (standard[:, 0] * self.length_statistics[1] + self.length_statistics[0]).clamp(0.0, math.log2(most))
        lengths = (torch.exp2(log_length).round().to(torch.int64) if lengths is None else lengths).clamp(1, most)
        beyond = torch.arange(self.frames, device=z.device) - torch.div(lengths, self.hop, rounding_mode="floor")[:, None]
        features = features - _GATE_DB_PER_FRAME * beyond.clamp_min(0)[:, None, None]
        return Decoded(features.clamp_min(-self.floor), lengths)


def _axis(notes: list[float] | Literal["auto"] | None, centres: Sequence[float] | None) -> HarmonicAxis | None:
    if notes is None or notes == "auto":
        return None
    if centres is None:
        raise ConfigError("model.notes are given, and this representation has no bands in Hz; set model.notes to null")
    return HarmonicAxis(centres, lowest=notes[0], highest=notes[1])


def _unknown(like: Tensor) -> Tensor:
    return torch.full((len(like),), torch.nan, device=like.device)


def _level(image: Tensor) -> Tensor:
    """Levels in dB `(batch, parts * bands, steps)` to that of all of them together, `(batch, steps)`."""
    per_db = math.log(10) / 10
    return torch.logsumexp(image * per_db, 1) / per_db
