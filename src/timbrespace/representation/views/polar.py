"""`polar` and `instantaneous-frequency`: magnitude of the STFT with its phase, or with the phase's change from frame to frame."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.audio.stft import istft
from timbrespace.representation.axes import Axes, Part, phase_part
from timbrespace.representation.spectral import ComplexSpectral, interleave, to_polar

_STEPS_PER_TURN = 2**24  # phases are rounded to this grid: differences of two of them are exact in single precision
_SPARE_BITS = 8  # of an int32, above the 24 of a turn


class Polar(ComplexSpectral):
    """Magnitude and phase of the STFT: parts = 2 × channels (left magnitude, left phase, right …). Exact.

    Phase is in rad, -π to π. Arguments: see `ComplexSpectral`.
    """

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz, frames centred on multiples of the hop."""
        return self._axes(length, self._magnitude_part, phase_part())

    @property
    def _magnitude_part(self) -> Part:
        """The first part of every channel."""
        return Part("magnitude", "", f"a full-scale sine reads {self.n_fft // 4}", "magnitude")

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, 2 * channels, bins, frames)`."""
        return interleave(*to_polar(self._spectra(audio)))

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(2 * channels, bins, frames) -> (channels, length)`."""
        return self._to_audio(features[0::2], features[1::2], length=length)

    def _to_audio(self, magnitude: Tensor, phase: Tensor, *, length: int) -> Tensor:
        """Returns audio `(channels, length)` for magnitude and phase `(channels, bins, frames)`; negative magnitudes count as zero."""
        return istft(torch.polar(magnitude.clamp_min(0), phase)[None], n_fft=self.n_fft, hop=self.hop, length=length)[0]


class InstantaneousFrequency(Polar):
    """Magnitude and instantaneous frequency of the STFT: parts = 2 × channels. Steady tones are constant over time. Exact.

    Instantaneous frequency is relative to the centre of the bin: the change of the phase since the previous frame, minus that of a tone
    at the bin's centre, in half turns per hop (-1 to 1; times sample_rate / (2 * hop) it is in Hz). Frame 0 holds its phase in half turns.

                   frame 0   frame 1            frame 2
        encoded    phase 0   phase 1 - phase 0  phase 2 - phase 1         minus the change of a tone at the bin's centre
        decoded    phase 0   sum of 0 and 1     sum of 0 to 2 …

    Phases are rounded to 2^24 steps per turn, so that sums over any number of frames are exact. Values of a model need not be on the grid.
    Arguments: see `Polar`.
    """

    def axes(self, length: int) -> Axes:
        """Returns bins in Hz, frames centred on multiples of the hop."""
        meaning = "change of the phase since the frame before, minus that of a tone at the bin's centre; frame 0: its phase"
        return self._axes(length, self._magnitude_part, Part("instantaneous frequency", "half turns a hop", meaning, "cyclic", 2.0))

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, 2 * channels, bins, frames)`."""
        magnitude, phase = to_polar(self._spectra(audio))
        grid = (phase.detach() * (_STEPS_PER_TURN / (2 * math.pi))).round_().to(torch.int32)
        steps = grid.clone()
        steps[:, :, 1:].sub_(grid[:, :, :-1]).sub_(self._advance(grid.device))
        steps.bitwise_left_shift_(_SPARE_BITS).bitwise_right_shift_(_SPARE_BITS)  # wraps to -1/2 to 1/2 turn
        values = (steps * (2 / _STEPS_PER_TURN)).to(phase)
        if phase.requires_grad:  # rounding has no gradient: that of the exact difference is used
            exact = torch.cat([phase[:, :, :1], phase.diff(dim=2)], 2) / math.pi
            values = values + (exact - exact.detach())
        return interleave(magnitude, values)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(2 * channels, bins, frames) -> (channels, length)`."""
        values = features[1::2]
        steps = torch.round(values.detach() * (_STEPS_PER_TURN // 2)).to(torch.int64)
        steps[..., 1:] += self._advance(steps.device)[:, None]
        phase = (steps.cumsum(-1) & (_STEPS_PER_TURN - 1)).to(values) * (2 * math.pi / _STEPS_PER_TURN)
        if values.requires_grad:
            exact = values.cumsum(-1) * math.pi
            phase = phase + (exact - exact.detach())
        return self._to_audio(features[0::2], phase, length=length)

    def _advance(self, device: torch.device) -> Tensor:
        """Returns the phase change in one hop of a tone at each bin's centre, in steps of the grid: `(bins,)` int32."""
        bins = torch.arange(self.bins, dtype=torch.int64)
        return (bins * self.hop % self.n_fft * _STEPS_PER_TURN // self.n_fft).to(device, torch.int32)
