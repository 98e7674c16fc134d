"""`magnitude`: the magnitudes of the STFT with the quiet ones removed, companded (source B)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, View
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window, root
from timbrespace.representation.stereo import to_parts

_JUST_UNDER = 0.999  # a cell right at the threshold survives the rounding of the way there and back


class Magnitude(Spectral):
    """Magnitude of the STFT, 1 for a full-scale sine; under the floor 0; mu-law: log(1 + mu * x) / log(1 + mu).

    n_fft: window in samples; hop: samples between frames, half of n_fft or less, divides it. floor: dB under `reference`, which is full
    scale or the sound's own peak. mu: of the companding; 0 leaves magnitudes linear. method, iterations: of the phase search.
    refine: steps of descent on the samples after it, for a better fit to the features; 50 take some five times as long as the search.
    Stereo becomes middle and side.
    """

    def __init__(
        self,
        *,
        n_fft: Window = 2048,
        hop: Hop = 1024,
        floor: Annotated[float, Field(ge=20, le=160)] = 70.0,
        reference: Annotated[Literal["full scale", "peak"], Field()] = "full scale",
        mu: Annotated[float, Field(ge=0, le=65_535)] = 8.0,
        method: PhaseMethod = "fast-griffin-lim",
        iterations: Iterations = 32,
        refine: Refine = 0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(n_fft=n_fft, hop=hop, overlap=2, sample_rate=sample_rate, channels=channels)
        if reference not in ("full scale", "peak"):
            raise ConfigError(f"reference is {reference!r}, allowed are 'full scale' and 'peak'")
        if not mu >= 0:
            raise ConfigError(f"mu is {mu}, allowed are numbers from 0; 0 leaves magnitudes linear, 8 is usual")
        self.floor, self.reference, self.mu, self.iterations = floor, reference, mu, iterations
        self.method, self.refine = method, refine
        self.bands, self.parts = self.bins, channels
        self._full_scale = n_fft / 4  # what a sine of amplitude 1 reads through a Hann window

    def axes(self, length: int) -> Axes:
        """Bins in Hz, frames around multiples of the hop."""
        meaning = f"a full-scale sine reads 1; log(1 + {self.mu:g} x) / log(1 + {self.mu:g})" if self.mu else "a full-scale sine reads 1"
        return self._axes(length, View("magnitude", "", meaning, "magnitude"), middle_side=True)

    def _encode(self, audio: Tensor) -> Tensor:
        magnitude = root(power_spectrogram(to_parts(audio), n_fft=self.n_fft, hop=self.hop)) / self._full_scale
        magnitude = torch.where(magnitude >= self._threshold(magnitude), magnitude, 0.0)
        return torch.log1p(self.mu * magnitude) / math.log1p(self.mu) if self.mu else magnitude

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        values = features.clamp_min(0)
        magnitude = torch.expm1(values * math.log1p(self.mu)) / self.mu if self.mu else values
        magnitude = torch.where(magnitude >= self._threshold(magnitude) * _JUST_UNDER, magnitude, 0.0) * self._full_scale
        return self._find_phase(magnitude, length=length, method=self.method, iterations=self.iterations, seed=seed, features=features)

    def _threshold(self, magnitude: Tensor) -> Tensor:
        """The least magnitude that stays, to compare with `(..., parts, bins, frames)`."""
        share = 10 ** (-self.floor / 20)
        return share * (magnitude.detach().amax((-3, -2, -1), keepdim=True) if self.reference == "peak" else magnitude.new_ones(()))
