"""`bands`: levels in bands that are one bin wide in the lows and widen logarithmically above."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, levels
from timbrespace.representation.levels import Floor, heard, to_level
from timbrespace.representation.phase.projection import Projection, bands_known, power_limits
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_parts


class Bands(Spectral):
    """Level of the STFT in bands, dB (0 dB: mean power 1 a bin), floored `floor` dB under the sound's loudest cell.

    n_fft: window in samples (1024 = 23 ms at 44.1 kHz: long windows smear drum attacks); hop: samples between frames, divides n_fft.
    bands: how many; the lows keep single bins (harmonics of notes), the highs share (noise). method, iterations: of the phase search.
    refine: steps of descent on the samples after it, for a better fit to the features; 50 take some five times as long as the search.
    Stereo becomes middle and side as two parts, so that what both channels share keeps one phase.
    """

    decibels = True

    def __init__(
        self,
        *,
        n_fft: Window = 1024,
        hop: Hop = 256,
        bands: Annotated[int, Field(ge=8, le=2_048)] = 161,
        floor: Floor = 80.0,
        method: PhaseMethod = "pghi+raar",
        iterations: Iterations = 32,
        refine: Refine = 0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(n_fft=n_fft, hop=hop, overlap=2, sample_rate=sample_rate, channels=channels)
        if bands > n_fft // 2 + 1:
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has only {n_fft // 2 + 1} bins; take fewer bands or a longer window")
        self.floor, self.iterations = floor, iterations
        self.method, self.refine = method, refine
        self.edges = band_edges(n_fft // 2 + 1, bands)
        self.bands, self.parts = len(self.edges) - 1, channels
        self._widths = self.edges.diff()
        self._band_of_bin = torch.repeat_interleave(torch.arange(self.bands), self._widths)

    def axes(self, length: int) -> Axes:
        """Bands in Hz, from half a bin under their first bin to half a bin over their last; frames around multiples of the hop."""
        width, top = self.sample_rate / self.n_fft, self.sample_rate / 2
        lower, upper = ((edges.double().numpy() - 0.5) * width for edges in (self.edges[:-1], self.edges[1:]))
        bands = {"centres": (lower + upper) / 2, "lower": lower.clip(0), "upper": upper.clip(0, top), "spacing": "linear then logarithmic"}
        return self._axes(length, levels("0 dB is a mean power of 1 a bin"), middle_side=True, bands=bands)

    def _encode(self, audio: Tensor) -> Tensor:
        power = power_spectrogram(to_parts(audio), n_fft=self.n_fft, hop=self.hop)
        summed = power.new_zeros(*power.shape[:2], self.bands, power.shape[-1]).index_add_(2, self._band_of_bin.to(power.device), power)
        return to_level(summed / self._widths.to(power)[:, None], floor=self.floor)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        loudest = features.max()
        magnitude = torch.stack([self.magnitude(part, loudest=loudest) for part in features])
        known = [self.known(part, loudest=loudest) for part in features]
        return self._find_phase(
            magnitude, length=length, method=self.method, iterations=self.iterations, seed=seed, known=known, features=features
        )

    def known(self, level: Tensor, *, loudest: Tensor) -> Projection:
        """What band levels in dB `(bands, frames)` say about spectra: the sum over each band, not what lies between its bins."""
        limits = power_limits(level, heard=heard(level, loudest=loudest, floor=self.floor))
        widths, bands = self._widths.to(level)[:, None], self._band_of_bin.to(level.device)

        def gather(power: Tensor) -> Tensor:
            return power.new_zeros(power.shape[0], self.bands).index_add_(1, bands, power)

        return bands_known(*(limit * widths for limit in limits), gather=gather, spread=lambda ratio: ratio.index_select(1, bands))

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
        return torch.where(heard(spread, loudest=loudest, floor=self.floor), power, 0.0).sqrt()


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
    while len(edges(high)) - 1 > bands:  # very few bands of very many bins
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if len(edges(middle)) - 1 > bands else (low, middle)
    return torch.tensor(edges(high))
