"""`complex`: the STFT as it is, real and imaginary parts (source A)."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.stft import istft
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import Axes, View
from timbrespace.representation.spectral import Hop, Spectral, Window, interleave


class Complex(Spectral):
    """Real and imaginary part of every cell of the STFT: parts are re, im of the left channel, then of the right. Exact.

    n_fft: window in samples; hop: samples between frames, a quarter of n_fft or less, divides it. A full-scale sine reads n_fft / 4.
    """

    exact = True

    def __init__(self, *, n_fft: Window = 1024, hop: Hop = 256, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        super().__init__(n_fft=n_fft, hop=hop, overlap=4, sample_rate=sample_rate, channels=channels)
        self.bands, self.parts = self.bins, 2 * channels

    def axes(self, length: int) -> Axes:
        """Bins in Hz, frames around multiples of the hop."""
        meaning = f"a full-scale sine reads {self.n_fft // 4}"
        return self._axes(length, View("real", "", meaning, "signed"), View("imaginary", "", meaning, "signed"))

    def _encode(self, audio: Tensor) -> Tensor:
        pairs = torch.view_as_real(self._spectra(audio))
        return interleave(pairs[..., 0], pairs[..., 1])

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        spectrum = torch.complex(features[0::2], features[1::2])
        return istft(spectrum[None], n_fft=self.n_fft, hop=self.hop, length=length)[0]
