"""`pitch-synchronous`: notes as waveforms resampled to one pitch, by a linear codec in closed form with a small residual VAE."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.model.base import Batch, Decoded
from timbrespace.model.codec.linear import LinearCodecVAE, unknown
from timbrespace.model.parts.pitch import MARGIN, NoteRange
from timbrespace.representation.spec import FeatureKind, FeatureSpec

_FADE = 0.005  # s, in which a sound ends
_RINGING = 4_096  # samples of silence that a filter may ring into
_LEAST = 1e-9  # least energy of a sound, because silence has no relative error


class PitchSynchronousAxis(NoteRange):
    """Resamples audio from seconds to cycles of the fundamental, and back.

        seconds   ∿∿∿∿∿∿∿∿∿   a low note    ∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿   a high one, as long
        cycles    |∿|∿|∿|∿|                 |∿|∿|∿|∿|∿|∿|∿|∿|    `points_per_cycle` points each

    The k-th partial of every note has k periods a cycle, so that waves of two notes can be added and compared, and share one basis.
    lowest, highest: MIDI numbers; the axis has room for `samples` of a note MARGIN above the highest. points_per_cycle: partials under half
    as many are kept. rate: of the samples, Hz. Raises ConfigError.
    """

    def __init__(self, *, lowest: float, highest: float, points_per_cycle: int, samples: int, rate: int):
        super().__init__(lowest=lowest, highest=highest)
        self.points_per_cycle, self.samples, self.rate = points_per_cycle, samples, rate
        self.points = math.ceil(midi_to_hz(highest + MARGIN) * samples / rate * points_per_cycle) + 1

    def align(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """Returns `(batch, parts, points)` of audio `(batch, parts, samples)` and MIDI numbers `(batch,)`, NaN where unknown."""
        points = self._points_a_sample(pitch)
        return self._resampled(_below(audio, points / 2), 1 / points, self.points)

    def restore(self, wave: Tensor, pitch: Tensor) -> Tensor:
        """Returns `(batch, parts, samples)` of waves `(batch, parts, points)` and MIDI numbers `(batch,)`."""
        points = self._points_a_sample(pitch)
        return self._resampled(_below(wave, 0.5 / points), points, self.samples)

    def reach(self, pitch: Tensor) -> Tensor:
        """Returns the samples of notes of `pitch (batch,)` that the axis covers: fewer than all for a pitch above its range."""
        return ((self.points - 1) / self._points_a_sample(pitch)).floor().long().clamp(1, self.samples)

    def inside(self, lengths: Tensor, pitch: Tensor) -> Tensor:
        """Returns the points `(batch,)` of sounds of `lengths (batch,)` in samples."""
        return (lengths.cpu() * self._points_a_sample(pitch)).ceil().long().clamp(1, self.points)

    def energy(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """Returns the energy `(batch,)` of audio `(batch, parts, samples)` on the scale of `align`, without its loss of high partials."""
        return audio.square().sum((1, 2)) * self._points_a_sample(pitch).to(audio)

    def _points_a_sample(self, pitch: Tensor) -> Tensor:
        return self.fundamentals(pitch) * self.points_per_cycle / self.rate

    @staticmethod
    def _resampled(wave: Tensor, step: Tensor, count: int) -> Tensor:
        """`(batch, parts, n)` read at 0, step, 2 step …, `(batch, parts, count)`: cubic (Catmull-Rom) between points, zero outside."""
        places = torch.arange(count, dtype=torch.float64) * step[:, None]
        left = places.floor()
        t = (places - left).to(wave)[:, None]
        padded = functional.pad(wave, (1, 4))  # positions beyond the end read four zeros
        index = (left.long() + 1).clamp_max(padded.shape[2] - 3).to(wave.device)[:, None].expand(-1, wave.shape[1], -1)
        before, at, after, later = (padded.gather(2, index + offset) for offset in (-1, 0, 1, 2))
        bend = 2 * before - 5 * at + 4 * after - later + t * (3 * (at - after) + later - before)
        return at + 0.5 * t * (after - before + t * bend)


class PitchSynchronous(LinearCodecVAE):
    """Whole notes as samples, without a spectrogram and without phase recovery: see `LinearCodecVAE` for the two paths inside.

    Notes are resampled to the cycles of their fundamental (`PitchSynchronousAxis`), so that one basis represents a partial of all notes.
    The last entry of the latent is the pitch. The likelihood is Gaussian with one deviation for all values, relative to a sound's
    level, at its optimum for each batch (sigma-VAE, Rybkin et al. 2021), which balances noise and KL without a weight. Errors are
    100 ‖x - x̂‖ / ‖x‖ over the whole axis, on which silence follows a sound; an output of silence has 100.

    points_per_cycle: partials under half as many are kept, the last tenth weaker. notes: the lowest and highest MIDI number of the
    training sounds; null: sounds without a pitch, not resampled; auto: training decides by the corpus. spec: of samples of audio, one a
    frame. The rest: see `LinearCodecVAE`.
    """

    axis: PitchSynchronousAxis | None

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Annotated[int, Field(ge=1, le=512)] = 32,
        coefficients: Annotated[int, Field(ge=1, le=2_048)] = 128,
        points_per_cycle: Annotated[int, Field(ge=4, le=1_024)] = 48,
        width: Annotated[int, Field(ge=8, le=4_096)] = 256,
        depth: Annotated[int, Field(ge=0, le=16)] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        refinement_steps: Annotated[int, Field(ge=0, le=1_000)] = 60,
        notes: Annotated[Annotated[list[float], Field(min_length=2, max_length=2)] | Literal["auto"] | None, Field()] = "auto",
    ):
        axis = None
        if isinstance(notes, list):
            axis = PitchSynchronousAxis(
                lowest=notes[0], highest=notes[1], points_per_cycle=points_per_cycle, samples=spec.samples, rate=spec.sample_rate
            )
        points = spec.samples if axis is None else axis.points
        super().__init__(
            spec, dims=dims, coefficients=coefficients, cells=spec.parts * points, width=width, depth=depth, dropout=dropout,
            refinement_steps=refinement_steps, axis=axis, fine_pitch=True,  # a cent is a third of a period after two seconds of middle C
        )  # fmt: skip
        self.points = points

    @classmethod
    def check_features(cls, kind: FeatureKind, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError unless the features are samples of audio, one a frame, not normalised."""
        if not kind.plain_samples or kind.block != 1:
            raise ConfigError(
                f"representation.name is {kind.view!r} (block {kind.block}, normalisation {kind.normalisation}), and model "
                f"{settings['name']!r} learns samples as they are; allowed with it is waveform with block 1, normalisation none"
            )

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns waves `(batch, parts * points)` of samples `(batch, parts, 1, samples)`.

        conditions: MIDI numbers `(batch, 1)`, NaN where unknown.
        """
        if features.ndim != 4 or tuple(features.shape[1:]) != (self.spec.parts, 1, self.spec.samples):
            raise ShapeError(f"features must be (batch, {self.spec.parts}, 1, {self.spec.samples}), not {tuple(features.shape)}")
        audio = features[:, :, 0]
        if self.axis is not None:
            audio = self.axis.align(audio, unknown(features) if conditions is None else conditions[:, 0])
        return audio.flatten(1)

    def compress(self, features: Tensor) -> Tensor:
        """Returns `(batch, coefficients + 2)` of waves `(batch, cells)`: coefficients, residual energy of the codec, energy."""
        coefficients = super().compress(features)
        residual = (features - self.mean).square().sum(1) - coefficients.square().sum(1)
        return torch.cat([coefficients, residual.clamp_min(0)[:, None], features.square().sum(1).clamp_min(_LEAST)[:, None]], 1)

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns samples `(batch, parts, 1, samples)` of latents `(batch, dims)`, silent beyond `lengths (batch,)` in samples.

        lengths: decoded ones if None.
        """
        if z.ndim != 2 or z.shape[1] != self.dims:
            raise ShapeError(f"a latent must be (batch, {self.dims}), not {tuple(z.shape)}")
        coefficients, standard = self.reconstruct(z)
        wave = (coefficients @ self.basis + self.mean).unflatten(1, (self.spec.parts, self.points))
        audio = wave if self.axis is None else self.axis.restore(wave, self.axis.midi(z[:, self.inferred_dims :]))
        lengths = self.lengths_of(standard, lengths, most=self.spec.samples)
        # The axis does not cover the end of a note above its range.
        ends = (
            lengths
            if self.axis is None
            else torch.minimum(lengths, self.axis.reach(self.axis.midi(z[:, self.inferred_dims :])).to(lengths))
        )
        left = ends[:, None] - torch.arange(self.spec.samples, device=z.device)
        fade = (ends / 2).clamp(1, _FADE * self.spec.sample_rate)[:, None]
        return Decoded((audio * (left / fade).clamp(0, 1)[:, None])[:, :, None], lengths)

    def loss(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns the negative log likelihood in nats a sound, up to a constant, at the batch's best deviation; without silence."""
        audible = batch.values[:, -1] > _LEAST
        share = torch.where(audible, self._residual_share(coefficients, batch), 0.0).sum() / audible.sum().clamp_min(1)
        return 0.5 * len(self.mean) * share.clamp_min(_LEAST).log()

    def errors(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns 100 ‖x - x̂‖ / ‖x‖, `(batch,)`; 0 for a silent sound."""
        return 100 * torch.where(batch.values[:, -1] > _LEAST, self._residual_share(coefficients, batch), 0.0).sqrt()

    def _residual_share(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns ‖x - x̂‖² / ‖x‖², `(batch,)`, from coefficients alone, because the basis is orthonormal."""
        wanted, (residual, energy) = batch.values[:, : self.coefficients], batch.values[:, self.coefficients :].unbind(1)
        return ((coefficients - wanted).square().sum(1) + residual) / energy

    def _objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Callable[[Tensor], Tensor]:
        """Returns a function from latents `(batch, dims)` to objectives `(batch,)`.

        The objective is the residual energy before a sound's end, as a share of its energy. Energy that the
        axis of a pitch cannot represent counts as residual, so that pitches can be compared.

        With B the basis and d = mean - x inside the sound: ‖c B + d‖² = c B Bᵀ cᵀ + 2 c B dᵀ + d dᵀ, so that a step is quick.
        """
        pitch = None if self.axis is None else self.axis.midi(z[:, self.inferred_dims :])
        waves = self.prepare_features(features, None if pitch is None else pitch[:, None]).unflatten(1, (self.spec.parts, self.points))
        ends = lengths.clamp(1, self.points) if pitch is None or self.axis is None else self.axis.inside(lengths, pitch)
        basis, mean = self.basis.unflatten(1, (self.spec.parts, self.points)), self.mean.unflatten(0, (self.spec.parts, self.points))
        energies = waves.square().sum((1, 2)) if pitch is None or self.axis is None else self.axis.energy(features[:, :, 0], pitch)
        terms = []
        for wave, end, energy in zip(waves, ends.tolist(), energies.clamp_min(_LEAST), strict=True):
            rows, beside = basis[:, :, :end].flatten(1), (mean - wave)[:, :end].flatten()
            lost = (energy - wave.square().sum()).clamp_min(0)
            terms.append((rows @ rows.T / energy, rows @ beside / energy, (beside.square().sum() + lost) / energy))
        squares, lines, rest = (torch.stack(some) for some in zip(*terms, strict=True))

        def objective(z: Tensor) -> Tensor:
            coefficients = self.reconstruct(z)[0]
            return ((coefficients[:, None] @ squares)[:, 0] * coefficients).sum(1) + 2 * (coefficients * lines).sum(1) + rest

        return objective


def _below(audio: Tensor, cutoff: Tensor) -> Tensor:
    """Returns audio `(batch, parts, samples)` without frequencies above `cutoff (batch,)` in cycles a sample, faded in the last tenth."""
    if bool((0.9 * cutoff >= 0.5).all()):
        return audio
    count = audio.shape[2]
    padded = count + min(count, _RINGING)
    frequencies = torch.fft.rfftfreq(padded, dtype=torch.float64)
    gain = ((cutoff[:, None] - frequencies) / (0.1 * cutoff[:, None])).clamp(0, 1).to(audio)[:, None]
    return torch.fft.irfft(torch.fft.rfft(audio, n=padded) * gain, n=padded)[..., :count]
