"""`complex`: real and imaginary part of the STFT (source A)."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.audio.stft import istft
from timbrespace.representation.axes import Axes, Part
from timbrespace.representation.spectral import ComplexSpectral, interleave


class Complex(ComplexSpectral):
    """Real and imaginary part of the STFT: parts = 2 × channels (left real, left imaginary, right real, right imaginary). Exact.

    Arguments: see `ComplexSpectral`.
    """

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
