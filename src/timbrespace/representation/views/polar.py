"""`polar` and `ifreq`: the STFT as magnitude and phase, the phase as it is or as instantaneous frequency."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.audio.stft import istft
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.axes import Axes, View, phases
from timbrespace.representation.spectral import Hop, Spectral, Window, interleave, polar

_TURN = 2**24  # steps of the phase grid of `ifreq`: a difference of two of them is exact in single precision
_SPARE = 8  # bits of 32 above those of a turn


class Polar(Spectral):
    """Magnitude and phase (rad, -π…π) of every cell of the STFT: parts are magnitude, phase of the left channel, then of the right. Exact.

    n_fft: window in samples; hop: samples between frames, a quarter of n_fft or less, divides it. A full-scale sine reads n_fft / 4.
    """

    exact = True

    def __init__(self, *, n_fft: Window = 1024, hop: Hop = 256, sample_rate: int = SAMPLE_RATE, channels: int = 1):
        super().__init__(n_fft=n_fft, hop=hop, overlap=4, sample_rate=sample_rate, channels=channels)
        self.bands, self.parts = self.bins, 2 * channels

    def axes(self, length: int) -> Axes:
        """Bins in Hz, frames around multiples of the hop."""
        return self._axes(length, self._magnitude_view, phases())

    @property
    def _magnitude_view(self) -> View:
        return View("magnitude", "", f"a full-scale sine reads {self.n_fft // 4}", "magnitude")

    def _encode(self, audio: Tensor) -> Tensor:
        return interleave(*polar(self._spectra(audio)))

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        return self._to_audio(features[0::2], features[1::2], length=length)

    def _to_audio(self, magnitude: Tensor, phase: Tensor, *, length: int) -> Tensor:
        """`(channels, bins, frames)` twice -> `(channels, length)`; a magnitude below zero, which only a model makes, counts as zero."""
        return istft(torch.polar(magnitude.clamp_min(0), phase)[None], n_fft=self.n_fft, hop=self.hop, length=length)[0]


class InstantaneousFrequency(Polar):
    """Magnitude and instantaneous frequency of every cell of the STFT: steady tones become constant. Exact.

    The second part is how much faster than the bin's own frequency the phase turns, from the frame before to this one, in half turns
    a hop (-1…1; times sample_rate / (2 * hop): Hz). The first frame holds its phase instead, in half turns.

        phase      frame 0   frame 1            frame 2
        holds      phase     phase 1 - phase 0  phase 2 - phase 1         less the turn of a tone at the bin's centre
        way back   phase     sum of 0 and 1     sum of 0 to 2 …

    Phases lie on a grid of 2^24 steps a turn, where sums of any length have no error; models may put the values off the grid.
    """

    def axes(self, length: int) -> Axes:
        """Bins in Hz, frames around multiples of the hop."""
        meaning = "turn of the phase since the frame before, less that of the bin's own frequency; frame 0: its phase"
        return self._axes(length, self._magnitude_view, View("instantaneous frequency", "half turns a hop", meaning, "cyclic", 2.0))

    def _encode(self, audio: Tensor) -> Tensor:
        magnitude, phase = polar(self._spectra(audio))
        grid = (phase.detach() * (_TURN / (2 * math.pi))).round_().to(torch.int32)
        steps = grid.clone()
        steps[:, :, 1:].sub_(grid[:, :, :-1]).sub_(self._advance(grid.device))
        steps.bitwise_left_shift_(_SPARE).bitwise_right_shift_(_SPARE)  # wrapped to half a turn either way
        values = (steps * (2 / _TURN)).to(phase)
        if phase.requires_grad:  # rounding has no slope: the gradient is that of the plain difference
            plain = torch.cat([phase[:, :, :1], phase.diff(dim=2)], 2) / math.pi
            values = values + (plain - plain.detach())
        return interleave(magnitude, values)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        values = features[1::2]
        steps = torch.round(values.detach() * (_TURN // 2)).to(torch.int64)
        steps[..., 1:] += self._advance(steps.device)[:, None]
        phase = (steps.cumsum(-1) & (_TURN - 1)).to(values) * (2 * math.pi / _TURN)
        if values.requires_grad:
            plain = values.cumsum(-1) * math.pi
            phase = phase + (plain - plain.detach())
        return self._to_audio(features[0::2], phase, length=length)

    def _advance(self, device: torch.device) -> Tensor:
        """How far the phase of a tone at each bin's centre turns in one hop, in steps of the grid: `(bins,)` int32."""
        bins = torch.arange(self.bins, dtype=torch.int64)
        return (bins * self.hop % self.n_fft * _TURN // self.n_fft).to(device, torch.int32)
