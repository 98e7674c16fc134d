"""Shared parts of the STFT representations: frames, magnitude and phase with finite gradients, and phase retrieval."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import spectra
from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError
from timbrespace.representation.axes import CHANNELS, MIDDLE_SIDE, Axes, Part, linear_bins, name_parts
from timbrespace.representation.base import Representation
from timbrespace.representation.phase.projection import Projection
from timbrespace.representation.phase.recover import recover_phase
from timbrespace.representation.phase.refine import refine
from timbrespace.representation.phase.start import Start, part_start
from timbrespace.representation.stereo import from_mid_side, to_mid_side

Window = Annotated[int, Field(ge=64, le=16_384)]
Hop = Annotated[int, Field(ge=16, le=8_192)]
Iterations = Annotated[int, Field(ge=1, le=1_000)]
Refine = Annotated[int, Field(ge=0, le=1_000)]
PhaseMethod = Annotated[
    Literal["griffin-lim", "fast-griffin-lim", "pghi+griffin-lim", "pghi+raar"], Field()
]  # see `phase.recover`; "pghi" without iterations is less accurate on bands and left out


class Spectral(Representation):
    """Base of the representations of an STFT: centred periodic Hann windows of `n_fft` samples, `hop` samples apart (`audio.stft`).

    overlap: the minimum of n_fft / hop. Exact inversion needs 4: at 2, the last samples can be covered by the edge of one window only.
    divides: whether hop must be a divisor of n_fft, as PGHI needs it.
    """

    # Of representations without phase, see `phase.recover` and `phase.refine`.
    method: str
    iterations: int
    refine: int = 0

    def __init__(self, *, n_fft: int, hop: int, overlap: int, sample_rate: int, channels: int, divides: bool = True):
        super().__init__(sample_rate=sample_rate, channels=channels)
        check_grid(n_fft, hop, overlap=overlap, divides=divides)
        self.n_fft, self.hop, self.bins = n_fft, hop, n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """Returns 1 + samples // hop."""
        return 1 + samples // self.hop

    def band_of_bin(self) -> Tensor | None:
        """Returns the band of every bin of the STFT, `(bins,)` int64, rising; None where bands overlap or features are no levels."""
        return None

    def main_band_of_bin(self) -> Tensor:
        """Returns the band that weighs most in every bin, `(bins,)`; -1 for none. Of views that can start near a given sound."""
        bands = self.band_of_bin()
        if bands is None:
            raise NotImplementedError(f"{type(self).__name__} cannot start near a given sound")
        return bands

    def spectra_of(self, audio: Tensor) -> Tensor:
        """Returns the STFT that the parts are made from: `(channels, time) -> complex (parts, frames, bins)`."""
        return self._spectra(to_mid_side(audio[None]))[0]

    def decode_from(self, features: Tensor, start: Start, *, length: int, seed: int, past: Tensor | None = None) -> Tensor:
        """Returns audio whose phase search starts near a given sound: levels in dB `(parts, bands, frames) -> (channels, length)`.

        Of views with `starts_near`. Silence stays silent. past: as in `decode`. Raises ShapeError.
        """
        if tuple(features.shape) != (self.parts, self.bands, self.frames(length)):
            raise ShapeError(f"features are {tuple(features.shape)}, {length} samples need {(self.parts, self.bands, self.frames(length))}")
        return self._decode(features, length=length, seed=seed, start=start, past=past)  # type: ignore[call-arg]

    def _axes(self, length: int, *parts: Part, middle_side: bool = False, bands: dict[str, Any] | None = None) -> Axes:
        """Returns axes with `parts` for every channel. bands: arguments of `Axes` for bands; default: the bins of the STFT."""
        names = (MIDDLE_SIDE if middle_side else CHANNELS)[self.channels]
        bins = linear_bins(self.bins, self.sample_rate / self.n_fft, top=self.sample_rate / 2)
        step = self.hop / self.sample_rate
        return Axes(parts=name_parts(parts, names), frames=self.frames(length), first_s=0.0, step_s=step, **(bands or bins))

    def _spectra(self, audio: Tensor) -> Tensor:
        """Returns the STFT: `(batch, channels, time) -> complex (batch, channels, frames, bins)`."""
        return spectra(audio, n_fft=self.n_fft, hop=self.hop)

    def _recover_audio(
        self, magnitude: Tensor, features: Tensor, *, length: int, seed: int, projections: list[Projection] | None = None,
        start: Start | None = None, past: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Returns audio by phase retrieval: magnitudes `(channels, bins, frames) -> (channels, length)`. Silent channels stay silent.

        features: `(parts, bands, frames)` of the sound, the target of `refine` steps. projections: one per channel, for magnitudes that are
        estimates (see `recover_phase`). start: where the search starts, see `decode_from`.
        past: the first samples, see `decode`; `refine` is left out with it.
        """
        options: dict[str, Any] = {"n_fft": self.n_fft, "hop": self.hop, "length": length}
        options |= {"method": self.method, "iterations": self.iterations}
        channels, before = [], None if past is None else to_mid_side(past[None])[0]
        for k, channel in enumerate(magnitude):
            near = None if start is None else part_start(start, k, channel, band_of_bin=self.main_band_of_bin())
            channels.append(
                recover_phase(
                    channel,
                    seed=seed + k,
                    projection=projections[k] if projections else None,
                    start=near,
                    past=None if before is None else before[k],
                    **options,
                )
            )
        audio = from_mid_side(torch.stack(channels))
        if past is not None:
            return audio
        return refine(audio, features, encode=self._encode, decibels=self.decibels, steps=self.refine)


class ComplexSpectral(Spectral):
    """Base of the representations that keep the phase of the STFT, and so are exact: two parts for every channel.

    A full-scale sine has the magnitude n_fft / 4.

    Args:
        n_fft: window, samples.
        hop: samples between frames, a divisor of n_fft, at most a quarter of it.
        sample_rate: Hz.
        channels: 1 or 2.
    """

    exact = True

    def __init__(self, *, n_fft: Window = 1024, hop: Hop = 256, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        super().__init__(n_fft=n_fft, hop=hop, overlap=4, sample_rate=sample_rate, channels=channels)
        self.bands, self.parts = self.bins, 2 * channels


def check_grid(n_fft: int, hop: int, *, overlap: int, divides: bool = True) -> None:
    """Raises ConfigError unless n_fft is even, n_fft / hop is at least `overlap`, and hop divides n_fft where it must (`divides`)."""
    if n_fft < 16 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}, allowed are even numbers from 16; powers of two are fastest")
    if hop < 1 or (divides and n_fft % hop) or hop * overlap > n_fft:
        divisor = f"a divisor of n_fft {n_fft} and " if divides else ""
        raise ConfigError(f"hop is {hop}; it must be {divisor}at most {n_fft // overlap}, for instance {n_fft // 4}")


def to_polar(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Returns magnitude and phase (rad, -π to π) of a complex tensor, same shape; gradients are finite where it is zero."""
    pairs = torch.view_as_real(spectrum)
    real, imaginary = pairs[..., 0].contiguous(), pairs[..., 1].contiguous()  # an arctangent of every other number is ten times slower
    if not spectrum.requires_grad:
        return real.square().addcmul_(imaginary, imaginary).sqrt_(), torch.atan2(imaginary, real)
    power = real.square() + imaginary.square()
    return safe_sqrt(power), torch.atan2(imaginary, torch.where(power > 0, real, 1.0))


def safe_sqrt(power: Tensor) -> Tensor:
    """Returns the square root, same shape; its gradient at zero is zero."""
    if not power.requires_grad:
        return power.sqrt()
    positive = power > 0
    return torch.where(positive, torch.where(positive, power, 1.0).sqrt(), 0.0)


def interleave(*parts: Tensor) -> Tensor:
    """Returns the parts channel by channel: each `(batch, channels, frames, bins)` -> `(batch, channels * len(parts), bins, frames)`."""
    return torch.stack(parts, 2).flatten(1, 2).transpose(-1, -2)
