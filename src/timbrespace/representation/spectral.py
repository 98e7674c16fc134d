"""What the views over the project's STFT share: the grid, roots and angles with safe gradients, and audio from magnitudes alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import spectra
from timbrespace.contracts import ConfigError
from timbrespace.representation.axes import CHANNELS, MIDDLE_SIDE, Axes, View, linear_bins, name_parts
from timbrespace.representation.base import Representation
from timbrespace.representation.phase.projection import Projection
from timbrespace.representation.phase.recover import recover_phase
from timbrespace.representation.phase.refine import refine
from timbrespace.representation.stereo import from_parts

Window = Annotated[int, Field(ge=64, le=16_384)]
Hop = Annotated[int, Field(ge=16, le=8_192)]
Iterations = Annotated[int, Field(ge=1, le=1_000)]
Refine = Annotated[int, Field(ge=0, le=1_000)]
PhaseMethod = Annotated[
    Literal["griffin-lim", "fast-griffin-lim", "pghi+griffin-lim", "pghi+raar"], Field()
]  # see `phase`; pghi alone is worse on bands


class Spectral(Representation):
    """A view over the STFT of `audio.stft`: n_fft samples a window (periodic Hann), a frame every `hop` samples, centred.

    overlap: how many windows at least lie over each sample. Exact ways back need 4: at 2 the last samples can lie at the very edge of the
    only window that reaches them.
    """

    refine: int = 0  # steps of descent on the samples after the phase search

    def __init__(self, *, n_fft: int, hop: int, overlap: int, sample_rate: int, channels: int):
        super().__init__(sample_rate=sample_rate, channels=channels)
        check_grid(n_fft, hop, overlap=overlap)
        self.n_fft, self.hop, self.bins = n_fft, hop, n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """1 + samples // hop."""
        return 1 + samples // self.hop

    def _axes(self, length: int, *views: View, middle_side: bool = False, bands: dict[str, Any] | None = None) -> Axes:
        """Axes of `views` of every channel on this grid; bands: what `Axes` takes where they are not the bins."""
        names = (MIDDLE_SIDE if middle_side else CHANNELS)[self.channels]
        bins = linear_bins(self.bins, self.sample_rate / self.n_fft, top=self.sample_rate / 2)
        step = self.hop / self.sample_rate
        return Axes(parts=name_parts(views, names), frames=self.frames(length), first_s=0.0, step_s=step, **(bands or bins))

    def _spectra(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> complex (batch, channels, frames, bins)`."""
        return spectra(audio, n_fft=self.n_fft, hop=self.hop)

    def _find_phase(
        self,
        magnitude: Tensor,
        *,
        length: int,
        method: str,
        iterations: int,
        seed: int,
        known: list[Projection] | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """Magnitudes of the parts of one sound `(channels, bins, frames) -> (channels, length)`; a silent part stays silent.

        known: of each part, what is known where the magnitudes are a guess (see `recover_phase`). features: of the sound, which the audio
        is made to fit better in `refine` steps.
        """
        options: dict[str, Any] = {"n_fft": self.n_fft, "hop": self.hop, "length": length, "method": method, "iterations": iterations}
        parts = [recover_phase(part, seed=seed + k, known=known[k] if known else None, **options) for k, part in enumerate(magnitude)]
        audio = from_parts(torch.stack(parts))
        return audio if features is None else refine(audio, features, encode=self._encode, decibels=self.decibels, steps=self.refine)


def check_grid(n_fft: int, hop: int, *, overlap: int) -> None:
    """Raises ConfigError unless n_fft is even and hop divides it into `overlap` or more parts."""
    if n_fft < 16 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}, allowed are even numbers from 16; powers of two are fastest")
    if hop < 1 or n_fft % hop or hop * overlap > n_fft:
        raise ConfigError(
            f"hop is {hop}, it must divide n_fft {n_fft} into {_NUMBERS[overlap]} or more whole parts, for instance {n_fft // 4}"
        )


def polar(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Complex numbers to magnitude and phase (rad, -π…π), shapes kept; gradients stay finite where there is silence."""
    pairs = torch.view_as_real(spectrum)
    real, imaginary = pairs[..., 0].contiguous(), pairs[..., 1].contiguous()  # an arctangent of every other number is ten times slower
    if not spectrum.requires_grad:
        return real.square().addcmul_(imaginary, imaginary).sqrt_(), torch.atan2(imaginary, real)
    power = real.square() + imaginary.square()
    return root(power), torch.atan2(imaginary, torch.where(power > 0, real, 1.0))


def root(power: Tensor) -> Tensor:
    """Square root whose gradient at zero is zero."""
    if not power.requires_grad:
        return power.sqrt()
    heard = power > 0
    return torch.where(heard, torch.where(heard, power, 1.0).sqrt(), 0.0)


def interleave(*views: Tensor) -> Tensor:
    """Views `(batch, channels, frames, bins)` to parts channel by channel: `(batch, channels * views, bins, frames)`."""
    return torch.stack(views, 2).flatten(1, 2).transpose(-1, -2)


_NUMBERS = {1: "one", 2: "two", 4: "four"}
