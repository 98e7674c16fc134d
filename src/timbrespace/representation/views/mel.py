"""`mel`: levels in mel bands, inverted to bins by non-negative multiplicative updates."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.arrays.spectra import mel_frequencies
from timbrespace.audio.stft import mel_filters, power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, level_part
from timbrespace.representation.levels import Floor, above_floor, to_level
from timbrespace.representation.phase.projection import Projection, power_limits, project_to_bands
from timbrespace.representation.phase.start import Start
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_mid_side

_MIN_POWER = 1e-20


class Mel(Spectral):
    """Level of the STFT in triangular Slaney mel bands, dB: parts = channels. Decoding estimates bins and phase.

    0 dB is a mean power of 1 per bin; levels are clamped `floor` dB under the sound's loudest cell.

    Args:
        n_fft: window, samples.
        hop: samples between frames, a divisor of n_fft, at most half of it.
        bands: their number.
        low, high: Hz; high 0: half the sample rate.
        floor: dB.
        inverse: iterations from bands to bins.
        method, iterations: of the phase retrieval, see `phase.recover`.
        refine: steps of gradient descent after it, see `phase.refine`; 50 take about five times as long as the retrieval.
        sample_rate: Hz.
        channels: 2: the parts are middle and side.
    """

    decibels = True
    starts_near = True
    continues = True

    def __init__(
        self,
        *,
        n_fft: Window = 1024,
        hop: Hop = 256,
        bands: Annotated[int, Field(ge=4, le=1_024)] = 128,
        low: Annotated[float, Field(ge=0, le=20_000)] = 20.0,
        high: Annotated[float, Field(ge=0, le=192_000)] = 0.0,
        floor: Floor = 80.0,
        inverse: Annotated[int, Field(ge=1, le=1_000)] = 30,
        method: PhaseMethod = "pghi+raar",
        iterations: Iterations = 32,
        refine: Refine = 0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(n_fft=n_fft, hop=hop, overlap=2, sample_rate=sample_rate, channels=channels)
        top = sample_rate / 2
        high = high or top
        if not 0 <= low < high <= top:
            raise ConfigError(f"low is {low:g} and high {high:g} Hz; allowed is 0 ≤ low < high ≤ {top:g} Hz, half the sample rate")
        self._check_filters(bands, low, high)
        self.low, self.high, self.floor, self.inverse, self.iterations = low, high, floor, inverse, iterations
        self.method, self.refine = method, refine
        self.bands, self.parts = bands, channels

    def axes(self, length: int) -> Axes:
        """Returns mel bands in Hz with the edges of their triangles (neighbours overlap); frames centred on multiples of the hop."""
        edges = mel_frequencies(self.bands + 2, low=self.low, high=self.high)
        bands = {"centres": edges[1:-1], "lower": edges[:-2], "upper": edges[2:], "spacing": "linear then logarithmic"}
        return self._axes(length, level_part("0 dB is a mean power of 1 a bin"), middle_side=True, bands=bands)

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bands, frames)` in dB."""
        power = power_spectrogram(to_mid_side(audio), n_fft=self.n_fft, hop=self.hop)
        # Frames first, as in memory.
        return to_level((power.transpose(-1, -2) @ self.filters.to(power).T).transpose(-1, -2), floor=self.floor)

    def main_band_of_bin(self) -> Tensor:
        """Returns the band that weighs most in every bin, `(bins,)`; -1 outside all."""
        weights = self.filters
        return torch.where(weights.amax(0) > 0, weights.argmax(0), -1)

    def _decode(self, features: Tensor, *, length: int, seed: int, start: Start | None = None, past: Tensor | None = None) -> Tensor:
        """`(parts, bands, frames) -> (channels, length)`."""
        loudest = features.max()
        above = above_floor(features, loudest=loudest, floor=self.floor)
        magnitude = self.magnitude(torch.where(above, features, -torch.inf))
        projections = [self._projection(level, above=part) for level, part in zip(features, above, strict=True)]
        return self._recover_audio(magnitude, features, length=length, seed=seed, projections=projections, start=start, past=past)

    def _projection(self, level: Tensor, *, above: Tensor) -> Projection:
        """Returns the projection to levels `(bands, frames)`; a bin follows its bands by their weights. above: of the floor."""
        filters = self.filters.to(level)
        share = filters / filters.sum(0).clamp_min(_MIN_POWER)
        limits = power_limits(level, above_floor=above)
        return project_to_bands(*limits, gather=lambda power: power @ filters.T, spread=lambda ratio: ratio @ share)

    @property
    def filters(self) -> Tensor:
        """`(bands, bins)`: each row holds the weights of a mean over bins."""
        bank = mel_filters(bands=self.bands, n_fft=self.n_fft, sample_rate=self.sample_rate, low=self.low, high=self.high)
        return bank / bank.sum(1, keepdim=True)

    def magnitude(self, level: Tensor) -> Tensor:
        """Returns magnitudes `(parts, bins, frames)` for band levels in dB `(parts, bands, frames)`; -inf dB is silence.

        Multiplicative updates for the Kullback-Leibler divergence (Lee & Seung 2001): power stays non-negative, and quiet bands weigh as
        much as loud ones. The initial estimate distributes each band's power over its bins.
        """
        filters = self.filters.to(level)
        target = (10 ** (level / 10)).transpose(-1, -2)
        share = filters / filters.sum(0).clamp_min(_MIN_POWER)
        power = target @ share
        for _ in range(self.inverse):
            power = power * ((target / (power @ filters.T).clamp_min(_MIN_POWER)) @ share)
        return power.transpose(-1, -2).sqrt()

    def _check_filters(self, bands: int, low: float, high: float) -> None:
        """Raises ConfigError if a band is so narrow that it holds no bin."""

        def empty(count: int) -> int:
            bank = mel_filters(bands=count, n_fft=self.n_fft, sample_rate=self.sample_rate, low=low, high=high)
            return int((bank.amax(1) <= 0).sum())

        if not (gaps := empty(bands)):
            return
        most = next((count for count in range(bands - 1, 0, -1) if not empty(count)), 0)
        remedy = f"take {most} bands or fewer" if most else "widen the range"
        raise ConfigError(
            f"bands is {bands}, but {gaps} of them between {low:g} and {high:g} Hz would hold none of the {self.bins} bins of n_fft "
            f"{self.n_fft}; {remedy}, or a longer window"
        )
