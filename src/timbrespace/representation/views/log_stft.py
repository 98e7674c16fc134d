"""`log-stft`: the STFT in dB."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import Axes, level_part
from timbrespace.representation.levels import Floor, above_floor, to_level
from timbrespace.representation.phase.projection import power_limits, project_to_bands
from timbrespace.representation.phase.start import Start
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_mid_side


class LogStft(Spectral):
    """Level of the STFT in dB: parts = channels. Phase is not kept; decoding estimates it.

    0 dB is power 1; levels are clamped `floor` dB under the sound's loudest cell.

    Args:
        n_fft: window, samples.
        hop: samples between frames, a divisor of n_fft, at most half of it.
        floor: dB.
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
        floor: Floor = 80.0,
        method: PhaseMethod = "pghi+raar",
        iterations: Iterations = 32,
        refine: Refine = 0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(n_fft=n_fft, hop=hop, overlap=2, sample_rate=sample_rate, channels=channels)
        self.floor, self.iterations = floor, iterations
        self.method, self.refine = method, refine
        self.bands, self.parts = self.bins, channels

    def band_of_bin(self) -> Tensor:
        """Returns the band of every bin of the STFT, `(bins,)` int64: every bin is a band."""
        return torch.arange(self.bins)

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz, frames centred on multiples of the hop."""
        return self._axes(length, level_part("0 dB is power 1"), middle_side=True)

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bins, frames)` in dB."""
        return to_level(power_spectrogram(to_mid_side(audio), n_fft=self.n_fft, hop=self.hop), floor=self.floor)

    def _decode(self, features: Tensor, *, length: int, seed: int, start: Start | None = None, past: Tensor | None = None) -> Tensor:
        """`(parts, bins, frames) -> (channels, length)`."""
        above = above_floor(features, loudest=features.max(), floor=self.floor)
        magnitude = torch.where(above, 10 ** (features / 20), 0.0)
        limits = (power_limits(level, above_floor=part) for level, part in zip(features, above, strict=True))
        projections = [project_to_bands(*both, gather=lambda power: power, spread=lambda ratio: ratio) for both in limits]
        return self._recover_audio(magnitude, features, length=length, seed=seed, projections=projections, start=start, past=past)
