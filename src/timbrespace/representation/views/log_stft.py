"""`log`: the magnitudes of the STFT in dB."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import Axes, levels
from timbrespace.representation.levels import Floor, heard, to_level
from timbrespace.representation.phase.projection import bands_known, power_limits
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window
from timbrespace.representation.stereo import to_parts


class Log(Spectral):
    """Level of every cell of the STFT in dB (0 dB: power 1), floored `floor` dB under the sound's loudest cell.

    n_fft: window in samples; hop: samples between frames, half of n_fft or less, divides it. method, iterations: of the phase search.
    refine: steps of descent on the samples after it, for a better fit to the features; 50 take some five times as long as the search.
    Stereo becomes middle and side.
    """

    decibels = True

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

    def axes(self, length: int) -> Axes:
        """Bins in Hz, frames around multiples of the hop."""
        return self._axes(length, levels("0 dB is power 1"), middle_side=True)

    def _encode(self, audio: Tensor) -> Tensor:
        return to_level(power_spectrogram(to_parts(audio), n_fft=self.n_fft, hop=self.hop), floor=self.floor)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        kept = heard(features, loudest=features.max(), floor=self.floor)
        magnitude = torch.where(kept, 10 ** (features / 20), 0.0)
        limits = (power_limits(level, heard=part) for level, part in zip(features, kept, strict=True))
        known = [bands_known(*both, gather=lambda power: power, spread=lambda ratio: ratio) for both in limits]
        return self._find_phase(
            magnitude, length=length, method=self.method, iterations=self.iterations, seed=seed, known=known, features=features
        )
