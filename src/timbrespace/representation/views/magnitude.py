"""`magnitude`: magnitude of the STFT with a floor, companded (source B)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.stft import power_spectrogram
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import Axes, Part, linear_bins
from timbrespace.representation.companding import compand_magnitude, expand_magnitude
from timbrespace.representation.phase.recover import METHODS
from timbrespace.representation.spectral import Hop, Iterations, PhaseMethod, Refine, Spectral, Window, safe_sqrt
from timbrespace.representation.stereo import to_mid_side

_ROUNDING = 0.999  # of the threshold in decoding: a cell at the threshold must survive rounding


class Magnitude(Spectral):
    """Magnitude of the STFT, companded: parts = channels. Phase is not kept; decoding estimates it.

    A full-scale sine has the magnitude 1; magnitudes under the floor become 0. Companding is mu-law: log(1 + mu * x) / log(1 + mu).

    Args:
        n_fft: window, samples.
        hop: samples between frames, at most half of n_fft; a divisor of it for the methods that begin with PGHI.
        bands: bins kept, from 0 Hz up, 0: all; the others are lost.
        floor: dB under `reference`.
        reference: full scale, or the peak of the sound.
        mu: of the companding; 0: linear magnitudes.
        method, iterations: of the phase retrieval, see `phase.recover`.
        refine: steps of gradient descent after it, see `phase.refine`; 50 take about five times as long as the retrieval.
        sample_rate: Hz.
        channels: 2: the parts are middle and side.
    """

    continues = True

    def __init__(
        self,
        *,
        n_fft: Window = 2048,
        hop: Hop = 1024,
        bands: Annotated[int, Field(ge=0, le=8_193)] = 0,
        floor: Annotated[float, Field(ge=20, le=160)] = 70.0,
        reference: Annotated[Literal["full scale", "peak"], Field()] = "full scale",
        mu: Annotated[float, Field(ge=0, le=65_535)] = 8.0,
        method: PhaseMethod = "fast-griffin-lim",
        iterations: Iterations = 32,
        refine: Refine = 0,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        divides = METHODS[method].pghi if method in METHODS else True
        super().__init__(n_fft=n_fft, hop=hop, overlap=2, sample_rate=sample_rate, channels=channels, divides=divides)
        if not 0 <= bands <= self.bins:
            raise ConfigError(f"bands is {bands}, n_fft {n_fft} has 1 to {self.bins} bins; use fewer bands, or 0 for all of them")
        self.floor, self.reference, self.mu, self.iterations = floor, reference, mu, iterations
        self.method, self.refine = method, refine
        self.bands, self.parts = bands or self.bins, channels
        self._full_scale = n_fft / 4  # magnitude of a sine of amplitude 1 with a Hann window

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz, frames centred on multiples of the hop."""
        meaning = f"a full-scale sine reads 1; log(1 + {self.mu:g} x) / log(1 + {self.mu:g})" if self.mu else "a full-scale sine reads 1"
        bins = linear_bins(self.bands, self.sample_rate / self.n_fft, top=self.sample_rate / 2)
        return self._axes(length, Part("magnitude", "", meaning, "magnitude"), middle_side=True, bands=bins)

    def scaled(self, features: Tensor, gain: Tensor) -> Tensor:
        """See `Representation.scaled`."""
        if not self.mu:
            return super().scaled(features, gain)
        return compand_magnitude(expand_magnitude(features.clamp_min(0), mu=self.mu) * gain, mu=self.mu)

    def magnitudes(self, features: Tensor) -> tuple[Tensor, float, float] | None:
        """See `Representation.magnitudes`: `(parts, bins, frames) -> (bins, frames)`."""
        values = features[0].clamp_min(0)
        return expand_magnitude(values, mu=self.mu) if self.mu else values, self.sample_rate / self.n_fft, 1.5

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, parts, bins, frames)`."""
        magnitude = (
            safe_sqrt(power_spectrogram(to_mid_side(audio), n_fft=self.n_fft, hop=self.hop)[..., : self.bands, :]) / self._full_scale
        )
        magnitude = torch.where(magnitude >= self._threshold(magnitude), magnitude, 0.0)
        return compand_magnitude(magnitude, mu=self.mu) if self.mu else magnitude

    def _decode(self, features: Tensor, *, length: int, seed: int, past: Tensor | None = None) -> Tensor:
        """`(parts, bins, frames) -> (channels, length)`."""
        values = features.clamp_min(0)
        magnitude = expand_magnitude(values, mu=self.mu) if self.mu else values
        magnitude = torch.where(magnitude >= self._threshold(magnitude) * _ROUNDING, magnitude, 0.0) * self._full_scale
        magnitude = functional.pad(magnitude, (0, 0, 0, self.bins - self.bands))
        return self._recover_audio(magnitude, features, length=length, seed=seed, past=past)

    def _threshold(self, magnitude: Tensor) -> Tensor:
        """Returns the smallest magnitude that is kept; broadcasts with `(..., parts, bins, frames)`."""
        share = 10 ** (-self.floor / 20)
        return share * (magnitude.detach().amax((-3, -2, -1), keepdim=True) if self.reference == "peak" else magnitude.new_ones(()))
