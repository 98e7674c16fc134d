"""`bands`: levels in bands that are one bin wide at low frequencies and widen in proportion to frequency above."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, level_part
from timbrespace.representation.levels import Floor, above_floor, to_level
from timbrespace.representation.phase.projection import Projection, power_limits, project_to_bands
from timbrespace.representation.phase.start import Start
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_mid_side


class Bands(Spectral):
    """Level of the STFT in bands, dB: parts = channels. Phase is not kept; decoding estimates it.

    0 dB is a mean power of 1 per bin; levels are clamped `floor` dB under the sound's loudest cell.

    Args:
        n_fft: window, samples (1024 = 23 ms at 44.1 kHz; longer windows smear the attacks of drums).
        hop: samples between frames, a divisor of n_fft, at most half of it.
        bands: their number; low bands are single bins (harmonics of notes), high bands are wider (noise).
        floor: dB.
        method, iterations: of the phase retrieval, see `phase.recover`.
        refine: steps of gradient descent after it, see `phase.refine`; 50 take about five times as long as the retrieval.
        sample_rate: Hz.
        channels: 2: the parts are middle and side, so that a signal that both channels share gets one phase.
    """

    decibels = True
    starts_near = True
    continues = True

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
            raise ConfigError(f"bands is {bands}, but n_fft {n_fft} has only {n_fft // 2 + 1} bins; use fewer bands or a longer window")
        self.floor, self.iterations = floor, iterations
        self.method, self.refine = method, refine
        self.edges = band_edges(n_fft // 2 + 1, bands)
        self.bands, self.parts = len(self.edges) - 1, channels
        self._widths = self.edges.diff()
        self._band_of_bin = torch.repeat_interleave(torch.arange(self.bands), self._widths)

    def band_of_bin(self) -> Tensor:
        """Returns the band of every bin of the STFT, `(bins,)` int64, rising."""
        return self._band_of_bin

    def axes(self, length: int) -> Axes:
        """Returns bands in Hz, half a bin wider than their first and last bin; frames centred on multiples of the hop."""
        width, top = self.sample_rate / self.n_fft, self.sample_rate / 2
        lower, upper = ((edges.double().numpy() - 0.5) * width for edges in (self.edges[:-1], self.edges[1:]))
        bands = {"centres": (lower + upper) / 2, "lower": lower.clip(0), "upper": upper.clip(0, top), "spacing": "linear then logarithmic"}
        return self._axes(length, level_part("0 dB is a mean power of 1 a bin"), middle_side=True, bands=bands)

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """See `Representation.magnitudes`: `(parts, bands, frames) -> (bins, frames)`."""
        return self.magnitude(features[0], loudest=features.max()), self.sample_rate / self.n_fft, 1.5

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)` in dB."""
        power = power_spectrogram(to_mid_side(audio), n_fft=self.n_fft, hop=self.hop)
        summed = power.new_zeros(*power.shape[:2], self.bands, power.shape[-1]).index_add_(2, self._band_of_bin.to(power.device), power)
        return to_level(summed / self._widths.to(power)[:, None], floor=self.floor)

    def _decode(self, features: Tensor, *, length: int, seed: int, start: Start | None = None, past: Tensor | None = None) -> Tensor:
        """`(parts, bands, frames) -> (channels, length)`."""
        loudest = features.max()
        magnitude = torch.stack([self.magnitude(part, loudest=loudest) for part in features])
        projections = [self.projection(part, loudest=loudest) for part in features]
        return self._recover_audio(magnitude, features, length=length, seed=seed, projections=projections, start=start, past=past)

    def projection(self, level: Tensor, *, loudest: Tensor) -> Projection:
        """Returns the projection to band levels in dB `(bands, frames)`: the sum over each band, not its distribution over the bins."""
        limits = power_limits(level, above_floor=above_floor(level, loudest=loudest, floor=self.floor))
        widths, bands = self._widths.to(level)[:, None], self._band_of_bin.to(level.device)

        def gather(power: Tensor) -> Tensor:
            return power.new_zeros(power.shape[0], self.bands).index_add_(1, bands, power)

        return project_to_bands(*(limit * widths for limit in limits), gather=gather, spread=lambda ratio: ratio.index_select(1, bands))

    def magnitude(self, level: Tensor, *, loudest: Tensor) -> Tensor:
        """Returns magnitudes `(bins, frames)` for levels in dB `(bands, frames)`: linear in dB between band centres, 0 on the floor."""
        centres = ((self.edges[1:] + self.edges[:-1] - 1) / 2).to(level)
        bins = torch.arange(self.n_fft // 2 + 1).to(level)
        upper = torch.searchsorted(centres, bins).clamp(1, self.bands - 1)
        share = ((bins - centres[upper - 1]) / (centres[upper] - centres[upper - 1])).clamp(0, 1)[:, None]
        interpolated = level[upper - 1] * (1 - share) + level[upper] * share
        # The geometric mean of a band's power is under its arithmetic mean: interpolated levels are scaled to the level of the band.
        power = 10 ** (interpolated / 10)
        summed = power.new_zeros(self.bands, power.shape[-1]).index_add_(0, self._band_of_bin.to(power.device), power)
        target = 10 ** (level / 10) * self._widths.to(level)[:, None]
        power = power * (target / summed.clamp_min(1e-20))[self._band_of_bin.to(power.device)]
        return torch.where(above_floor(interpolated, loudest=loudest, floor=self.floor), power, 0.0).sqrt()


def band_edges(bins: int, bands: int) -> Tensor:
    """Returns the edges `(bands + 1,)` of a partition of bins 0 … bins - 1: single bins first, then widths in proportion to frequency.

    The proportion is found by bisection; because of rounding, the result can have one band fewer.
    """

    def edges(growth: float) -> list[int]:
        result = [0]
        while result[-1] < bins:
            result.append(result[-1] + max(1, round(growth * result[-1])))
        result[-1] = bins
        return result

    low, high = 0.0, 1.0
    while len(edges(high)) - 1 > bands:  # very few bands of very many bins
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if len(edges(middle)) - 1 > bands else (low, middle)
    return torch.tensor(edges(high))
