"""`complex`: real and imaginary part of the STFT (source A)."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.stft import istft
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import Axes, Part
from timbrespace.representation.spectral import Hop, Spectral, Window, interleave


class Complex(Spectral):
    """Real and imaginary part of the STFT: parts = 2 × channels (left real, left imaginary, right real, right imaginary). Exact.

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

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz, frames centred on multiples of the hop."""
        meaning = f"a full-scale sine reads {self.n_fft // 4}"
        return self._axes(length, Part("real", "", meaning, "signed"), Part("imaginary", "", meaning, "signed"))

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, 2 * channels, bins, frames)`."""
        pairs = torch.view_as_real(self._spectra(audio))
        return interleave(pairs[..., 0], pairs[..., 1])

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(2 * channels, bins, frames) -> (channels, length)`."""
        spectrum = torch.complex(features[0::2], features[1::2])
        return istft(spectrum[None], n_fft=self.n_fft, hop=self.hop, length=length)[0]
