"""`mel`: levels in mel bands, and the way back to spectra by a search among spectra that have no negative power."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import mel_filters, mel_frequencies, power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, levels
from timbrespace.representation.levels import Floor, heard, to_level
from timbrespace.representation.phase.projection import Projection, bands_known, power_limits
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_parts

_TINY = 1e-20


class Mel(Spectral):
    """Level of the STFT in triangular Slaney mel bands, dB (0 dB: mean power 1 a bin), `floor` dB under the sound's loudest cell.

    n_fft: window in samples; hop: samples between frames, half of n_fft or less, divides it. bands: how many, between `low` and `high` Hz
    (0: half the sample rate). inverse: iterations from bands to bins. method, iterations: of the phase search.
    refine: steps of descent on the samples after it, for a better fit to the features; 50 take some five times as long as the search.
    Stereo becomes middle and side.
    """

    decibels = True

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
        if bands < 1:
            raise ConfigError(f"bands is {bands}, at least 1 is needed; 128 is usual")
        self._check_filters(bands, low, high)
        self.low, self.high, self.floor, self.inverse, self.iterations = low, high, floor, inverse, iterations
        self.method, self.refine = method, refine
        self.bands, self.parts = bands, channels

    def axes(self, length: int) -> Axes:
        """Mel bands in Hz, from foot to foot of their triangle (neighbours overlap); frames around multiples of the hop."""
        edges = mel_frequencies(self.bands + 2, low=self.low, high=self.high).numpy()
        bands = {"centres": edges[1:-1], "lower": edges[:-2], "upper": edges[2:], "spacing": "linear then logarithmic"}
        return self._axes(length, levels("0 dB is a mean power of 1 a bin"), middle_side=True, bands=bands)

    def _encode(self, audio: Tensor) -> Tensor:
        power = power_spectrogram(to_parts(audio), n_fft=self.n_fft, hop=self.hop)
        # Frames first, as they lie in memory.
        return to_level((power.transpose(-1, -2) @ self.filters.to(power).T).transpose(-1, -2), floor=self.floor)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        loudest = features.max()
        kept = heard(features, loudest=loudest, floor=self.floor)
        magnitude = self.magnitude(torch.where(kept, features, -torch.inf))
        known = [self._known(level, kept=part) for level, part in zip(features, kept, strict=True)]
        return self._find_phase(
            magnitude, length=length, method=self.method, iterations=self.iterations, seed=seed, known=known, features=features
        )

    def _known(self, level: Tensor, *, kept: Tensor) -> Projection:
        """What levels `(bands, frames)` say about spectra; a bin goes with the bands that it lies in, by their weight."""
        filters = self.filters.to(level)
        share = filters / filters.sum(0).clamp_min(_TINY)
        return bands_known(*power_limits(level, heard=kept), gather=lambda power: power @ filters.T, spread=lambda ratio: ratio @ share)

    @property
    def filters(self) -> Tensor:
        """`(bands, bins)`: each row a weighted mean over bins."""
        bank = mel_filters(bands=self.bands, n_fft=self.n_fft, sample_rate=self.sample_rate, low=self.low, high=self.high)
        return bank / bank.sum(1, keepdim=True)

    def magnitude(self, level: Tensor) -> Tensor:
        """Band levels in dB `(parts, bands, frames)` to magnitudes `(parts, bins, frames)`; -inf dB is silence.

        Multiplicative updates for the Kullback-Leibler divergence (Lee, Seung 2001): power stays at or above zero, and a quiet band counts
        as much as a loud one. They start from each band's power spread over its own bins.
        """
        filters = self.filters.to(level)
        wanted = (10 ** (level / 10)).transpose(-1, -2)
        share = filters / filters.sum(0).clamp_min(_TINY)
        power = wanted @ share
        for _ in range(self.inverse):
            power = power * ((wanted / (power @ filters.T).clamp_min(_TINY)) @ share)
        return power.transpose(-1, -2).sqrt()

    def _check_filters(self, bands: int, low: float, high: float) -> None:
        def empty(count: int) -> int:
            bank = mel_filters(bands=count, n_fft=self.n_fft, sample_rate=self.sample_rate, low=low, high=high)
            return int((bank.amax(1) <= 0).sum())

        if not (gaps := empty(bands)):
            return
        most = next((count for count in range(bands - 1, 0, -1) if not empty(count)), 0)
        fewer = f"take {most} bands or fewer" if most else "widen the range"
        raise ConfigError(
            f"bands is {bands}, and {gaps} of them between {low:g} and {high:g} Hz would hold none of the {self.bins} bins of n_fft "
            f"{self.n_fft}; {fewer}, or a longer window"
        )
