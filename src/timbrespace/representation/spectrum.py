"""`spectrum`: single spectra, one point a frame (source E).

Frames are not centred: a sound of up to one window is one spectrum, a point without a time axis.

    samples  0        hop               n_fft
    frame 0  └──────────────────────────┘
    frame 1           └──────────────────────────┘        frames = 1 + ceil((time - n_fft) / hop), at least 1
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.stft import overlap_add
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.base import Representation
from timbrespace.representation.spectral import Hop, Iterations, Window, check_grid, interleave, polar, root
from timbrespace.representation.stereo import from_parts, to_parts

_MOMENTUM = 0.99
_LEAST_OVERLAP = 0.1  # of the most: where windows hardly reach, spectra without phase fade instead of being blown up


class Spectrum(Representation):
    """Magnitudes of the first `bands` bins of plain spectra, with the phase (rad) beside them or without.

    n_fft: window in samples (Hamming, which is nowhere zero, so that a single frame can be undone); hop: samples between frames, divides
    n_fft. bands: bins kept from 0 Hz on, the rest is lost (1025 of 4096: up to 11 kHz). phase: whether it is kept, as a part of its own.
    iterations: of the phase search where it is not; stereo is then middle and side.
    """

    def __init__(
        self,
        *,
        n_fft: Window = 4096,
        hop: Hop = 1024,
        bands: Annotated[int, Field(ge=1, le=8_193)] = 1025,
        phase: Annotated[bool, Field()] = False,
        iterations: Iterations = 32,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(sample_rate=sample_rate, channels=channels)
        check_grid(n_fft, hop, overlap=1)
        if not 1 <= bands <= n_fft // 2 + 1:
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has 1 to {n_fft // 2 + 1} bins; take fewer or a longer window")
        self.n_fft, self.hop, self.phase, self.iterations = n_fft, hop, phase, iterations
        self.bands, self.parts = bands, channels * (2 if phase else 1)
        self._window = torch.hamming_window(n_fft, periodic=True, dtype=torch.float64)

    def frames(self, samples: int) -> int:
        """1 + (samples - n_fft) / hop, rounded up, at least 1."""
        return 1 + max(0, -(-(samples - self.n_fft) // self.hop))

    def _encode(self, audio: Tensor) -> Tensor:
        spectrum = self._spectra(audio if self.phase else to_parts(audio))[..., : self.bands]
        if self.phase:
            return interleave(*polar(spectrum))
        pairs = torch.view_as_real(spectrum)
        return root(pairs[..., 0].square() + pairs[..., 1].square()).transpose(-1, -2)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        frames = features.transpose(-1, -2)
        missing = (0, self.n_fft // 2 + 1 - self.bands)
        if self.phase:
            spectrum = torch.polar(frames[0::2].clamp_min(0), frames[1::2])
            return self._to_audio(functional.pad(spectrum, missing), length=length, least=0.0)
        magnitude = functional.pad(frames.clamp_min(0), missing)
        return from_parts(torch.stack([self._find_phase(part, length=length, seed=seed + k) for k, part in enumerate(magnitude)]))

    def _spectra(self, audio: Tensor) -> Tensor:
        """`(..., time) -> complex (..., frames, n_fft // 2 + 1)`."""
        total = (self.frames(audio.shape[-1]) - 1) * self.hop + self.n_fft
        padded = functional.pad(audio, (0, total - audio.shape[-1]))
        return torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop) * self._window.to(audio))

    def _to_audio(self, spectrum: Tensor, *, length: int, least: float) -> Tensor:
        """Least-squares overlap-add: `complex (..., frames, n_fft // 2 + 1) -> (..., length)`; least: overlap assumed, of the most."""
        pieces = torch.fft.irfft(spectrum, n=self.n_fft)
        window = self._window.to(pieces)
        envelope = overlap_add(window.square().expand(spectrum.shape[-2], self.n_fft), hop=self.hop)[:length]
        return overlap_add(pieces * window, hop=self.hop)[..., :length] / envelope.clamp_min(least * float(envelope.max()))

    def _find_phase(self, magnitude: Tensor, *, length: int, seed: int) -> Tensor:
        """Accelerated Griffin-Lim on this grid: `(frames, n_fft // 2 + 1) -> (length,)`; silence stays silence."""
        if not bool(magnitude.any()):
            return magnitude.new_zeros(length)
        dice = torch.Generator().manual_seed(seed)
        phase = torch.rand(magnitude.shape, generator=dice, dtype=torch.float32).to(magnitude) * (2 * math.pi)
        spectrum, before = torch.polar(magnitude, phase), None
        for _ in range(self.iterations):
            now = self._spectra(self._to_audio(spectrum, length=length, least=_LEAST_OVERLAP))
            ahead = now if before is None else torch.lerp(before, now, 1 + _MOMENTUM)
            before = now
            spectrum = torch.polar(magnitude, ahead.angle())
        return self._to_audio(spectrum, length=length, least=_LEAST_OVERLAP)
