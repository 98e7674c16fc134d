"""`bands`: levels in bands that are one bin wide in the lows and widen logarithmically above."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import SAMPLE_RATE, ConfigError, ShapeError, check_audio, check_lengths
from timbrespace.representation.base import Representation
from timbrespace.representation.phase import griffin_lim

_SILENCE_DB = -120.0  # what a cell without any energy reads


class Bands(Representation):
    """Level of the STFT in bands, dB (0 dB: mean power 1 a bin), floored `floor` dB under the sound's loudest cell.

    n_fft: window in samples (1024 = 23 ms at 44.1 kHz: long windows smear drum attacks); hop: samples between frames, divides n_fft.
    bands: how many; the lows keep single bins (harmonics of notes), the highs share (noise). iterations: of the phase search.
    Stereo becomes middle and side as two parts, so that what both channels share keeps one phase.
    """

    def __init__(
        self,
        *,
        n_fft: Annotated[int, Field(ge=64, le=16_384)] = 1024,
        hop: Annotated[int, Field(ge=16, le=8_192)] = 256,
        bands: Annotated[int, Field(ge=8, le=2_048)] = 161,
        floor: Annotated[float, Field(ge=20, le=120)] = 80.0,
        iterations: Annotated[int, Field(ge=1, le=1_000)] = 32,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(sample_rate=sample_rate, channels=channels)
        if n_fft % hop or hop * 2 > n_fft or n_fft % 2:
            raise ConfigError(f"hop is {hop}, it must divide n_fft {n_fft} into two or more whole parts, for instance {n_fft // 4}")
        if bands > n_fft // 2 + 1:
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has only {n_fft // 2 + 1} bins; take fewer bands or a longer window")
        self.n_fft, self.hop, self.floor, self.iterations = n_fft, hop, floor, iterations
        self.edges = band_edges(n_fft // 2 + 1, bands)
        self.bands, self.parts = len(self.edges) - 1, channels
        self._widths = self.edges.diff()
        self._band_of_bin = torch.repeat_interleave(torch.arange(self.bands), self._widths)

    def frames(self, samples: int) -> int:
        """1 + samples // hop."""
        return 1 + samples // self.hop

    def encode(self, audio: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)` in dB; frames = 1 + time // hop."""
        check_audio(audio, channels=self.channels)
        lengths = check_lengths(lengths, audio)
        audio = audio * (torch.arange(audio.shape[-1], device=audio.device) < lengths[:, None])[:, None]
        power = self._power(_to_parts(audio))
        summed = power.new_zeros(*power.shape[:2], self.bands, power.shape[-1]).index_add_(2, self._band_of_bin.to(power.device), power)
        level = 10 * torch.log10((summed / self._widths.to(power)[:, None]).clamp_min(10 ** (_SILENCE_DB / 10)))
        return torch.maximum(level, level.amax((1, 2, 3), keepdim=True) - self.floor)

    def decode(self, features: Tensor, *, length: int, seed: int = 0) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, channels, length)`; cells at the floor come back as silence."""
        if features.ndim != 4 or tuple(features.shape[1:3]) != (self.parts, self.bands) or features.shape[3] != self.frames(length):
            raise ShapeError(
                f"features must be (batch, {self.parts}, {self.bands}, {self.frames(length)}) for {length} samples, "
                f"not {tuple(features.shape)}"
            )
        parts = [
            torch.stack([self._part_to_audio(part, loudest=sound.max(), length=length, seed=seed + k) for k, part in enumerate(sound)])
            for sound in features
        ]
        return _from_parts(torch.stack(parts))

    def magnitude(self, level: Tensor, *, loudest: Tensor) -> Tensor:
        """Band levels in dB `(bands, frames)` to magnitudes `(bins, frames)`: linear in dB between band centres, gated at the floor."""
        centres = ((self.edges[1:] + self.edges[:-1] - 1) / 2).to(level)
        bins = torch.arange(self.n_fft // 2 + 1).to(level)
        upper = torch.searchsorted(centres, bins).clamp(1, self.bands - 1)
        share = ((bins - centres[upper - 1]) / (centres[upper] - centres[upper - 1])).clamp(0, 1)[:, None]
        spread = level[upper - 1] * (1 - share) + level[upper] * share
        # An exponential mean of a band's power lies under its arithmetic mean: interpolated levels are put back to the band's own.
        power = 10 ** (spread / 10)
        summed = power.new_zeros(self.bands, power.shape[-1]).index_add_(0, self._band_of_bin.to(power.device), power)
        wanted = 10 ** (level / 10) * self._widths.to(level)[:, None]
        power = power * (wanted / summed.clamp_min(1e-20))[self._band_of_bin.to(power.device)]
        return torch.where(spread > loudest - self.floor + 3.0, power, 0.0).sqrt()

    def _power(self, audio: Tensor) -> Tensor:
        """`(batch, parts, time) -> (batch, parts, bins, frames)`: |STFT|² as `audio.stft` defines it, without ever taking a root.

        Frames lie first in memory and the complex numbers are read as pairs: about four times faster than stft().abs().square().
        """
        padded = nn.functional.pad(audio, (self.n_fft // 2, self.n_fft // 2))
        window = torch.hann_window(self.n_fft, dtype=audio.dtype, device=audio.device)
        pairs = torch.view_as_real(torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop) * window))
        return (pairs[..., 0].square() + pairs[..., 1].square()).transpose(-1, -2)

    def _part_to_audio(self, level: Tensor, *, loudest: Tensor, length: int, seed: int) -> Tensor:
        magnitude = self.magnitude(level, loudest=loudest)
        if not bool(magnitude.any()):
            return magnitude.new_zeros(length)
        return griffin_lim(magnitude, n_fft=self.n_fft, hop=self.hop, length=length, iterations=self.iterations, seed=seed)


def band_edges(bins: int, bands: int) -> Tensor:
    """Edges `(bands + 1,)` of a partition of bins 0 … bins - 1: single bins first, then widths in proportion to frequency.

    The proportion is found by bisection; rounding can leave one band fewer than asked.
    """

    def edges(growth: float) -> list[int]:
        found = [0]
        while found[-1] < bins:
            found.append(found[-1] + max(1, round(growth * found[-1])))
        found[-1] = bins
        return found

    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if len(edges(middle)) - 1 > bands else (low, middle)
    return torch.tensor(edges(high))


def _to_parts(audio: Tensor) -> Tensor:
    """Left and right `(batch, 2, time)` to middle and side; mono stays."""
    if audio.shape[1] == 1:
        return audio
    left, right = audio[:, :1], audio[:, 1:]
    return torch.cat([left + right, left - right], 1) / 2


def _from_parts(parts: Tensor) -> Tensor:
    """Middle and side `(batch, 2, time)` to left and right; mono stays."""
    if parts.shape[1] == 1:
        return parts
    middle, side = parts[:, :1], parts[:, 1:]
    return torch.cat([middle + side, middle - side], 1)
