"""`constant-q`: an exactly invertible constant-Q transform (a painless non-stationary Gabor frame).

Velasco, Holighaus, Dörfler and Grill 2011, "Constructing an invertible constant-Q transform with nonstationary Gabor frames": windows over
frequency divide the spectrum of the whole sound into overlapping bands, and each band is transformed to time separately. Here all bands
have the same hop, so that features are a rectangle:

    zero-padded sound -> FFT of M · hop bins -> · window of band k -> fold to M bins (bin mod M) -> inverse FFT -> M frames

A band of at most M bins folds without overlap ("painless"). The squares of the windows sum to 1 at every frequency: the frame is tight,
decoding uses the same windows, and energy is preserved. A band from 0 Hz to `low` and one at the highest frequency complete the frame.

    |---0---\\/\\/\\ /\\ /  \\ /    \\ /    \\ /----
    0     low  · 2^(1/B) each ·    | sample_rate / (2 · hop) each |  half the sample rate
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.axes import CHANNELS, Axes, Part, name_parts, phase_part
from timbrespace.representation.base import Representation
from timbrespace.representation.spectral import to_polar

_MAX_RESPONSE = 4.0  # s, impulse response of a band


class ConstantQ(Representation):
    """Constant-Q transform: parts = 2 × channels (real and imaginary part, or magnitude and phase). Exact.

    A full-scale sine at the centre of a band has the magnitude sqrt(hop / 2); the energy of the values is that of the samples. Frames start
    before the sound, by half the impulse response of the lowest band, and end as long after it.

    Args:
        bins_per_octave: bands per octave.
        low: centre of the lowest of them, Hz; one more band is below it.
        hop: samples between frames, the same for all bands. A band is at most sample_rate / hop Hz wide, so the highest bands are evenly
            spaced, half of that apart.
        form: complex, or polar (phase in rad, -π to π).
        sample_rate: Hz.
        channels: 1 or 2.
    """

    exact = True

    def __init__(
        self,
        *,
        bins_per_octave: Annotated[int, Field(ge=1, le=96)] = 12,
        low: Annotated[float, Field(ge=10, le=5_000)] = 65.40639,
        hop: Annotated[int, Field(ge=4, le=1_024)] = 64,
        form: Annotated[Literal["complex", "polar"], Field()] = "complex",
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
    ):
        super().__init__(sample_rate=sample_rate, channels=channels)
        if low > sample_rate / (2 * hop):
            most = int(sample_rate / (2 * low))
            raise ConfigError(
                f"low is {low:g} Hz at a hop of {hop}: the band under it would be wider than sample_rate / hop = {sample_rate / hop:g} Hz; "
                f"use a low of at most {sample_rate / (2 * hop):g} Hz" + (f" or a hop of at most {most}" if most >= 4 else "")
            )
        self.bins_per_octave, self.low, self.hop, self.form = bins_per_octave, low, hop, form
        step = low * (2 ** (1 / bins_per_octave) - 1)
        if 2 / step > _MAX_RESPONSE:
            raise ConfigError(
                f"low is {low:g} Hz with {bins_per_octave} bins_per_octave: the lowest band responds for {2 / step:.1f} s, allowed are "
                f"{_MAX_RESPONSE:g} s; use fewer bins_per_octave or a low of at least {math.ceil(low * 2 / step / _MAX_RESPONSE)} Hz"
            )
        self.centres = _centres(low, bins_per_octave, sample_rate=sample_rate, hop=hop)
        self.bands, self.parts = len(self.centres), 2 * channels
        self._lead = math.ceil(sample_rate / step / hop)  # frames before the sound: half of the main lobe, 4 / (2 · step) s

    def frames(self, samples: int) -> int:
        """Returns samples / hop plus the lead before and after the sound, rounded up to an even number with a fast FFT."""
        return _fast_size(-(-samples // self.hop) + 2 * self._lead)

    def axes(self, length: int) -> Axes:
        """Returns bands in Hz, from the centre of the band below to that of the band above; frames start before the sound."""
        centres = self.centres.copy()
        meaning = f"a full-scale sine reads {math.sqrt(self.hop / 2):.3g}; the squares sum to those of the samples"
        parts = (
            [Part("magnitude", "", meaning, "magnitude"), phase_part()]
            if self.form == "polar"
            else [Part("real", "", meaning, "signed"), Part("imaginary", "", meaning, "signed")]
        )
        return Axes(
            parts=name_parts(parts, CHANNELS[self.channels]),
            centres=np.concatenate([[self.low / 2], centres[1:]]),  # the lowest band covers 0 Hz to low
            lower=np.concatenate([[0.0, 0.0], centres[1:-1]]),
            upper=np.concatenate([centres[1:], centres[-1:]]),
            frames=self.frames(length),
            first_s=-self._lead * self.hop / self.sample_rate,
            step_s=self.hop / self.sample_rate,
            spacing="linear then logarithmic",
        )

    def _encode(self, audio: Tensor) -> Tensor:
        """`(batch, channels, time) -> (batch, 2 * channels, bands, frames)`."""
        frames, lead = self.frames(audio.shape[-1]), self._lead * self.hop
        plan = self._plan(frames, audio)
        spectrum = torch.fft.rfft(functional.pad(audio, (lead, frames * self.hop - lead - audio.shape[-1])))
        folded = spectrum.index_select(-1, plan.bins) * plan.weights
        values = torch.fft.ifft(folded.unflatten(-1, (self.bands, frames)))
        values = _real_ends(values)
        pair = to_polar(values) if self.form == "polar" else torch.view_as_real(values).unbind(-1)
        return torch.stack(pair, 2).flatten(1, 2)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        """`(2 * channels, bands, frames) -> (channels, length)`."""
        frames, lead = features.shape[-1], self._lead * self.hop
        plan = self._plan(frames, features)
        one, two = features[0::2].contiguous(), features[1::2].contiguous()
        values = torch.polar(one.clamp_min(0), two) if self.form == "polar" else torch.complex(one, two)
        folded = torch.fft.fft(_real_ends(values)).flatten(-2)
        spectrum = folded.index_select(-1, plan.lower) * plan.lower_weights + folded.index_select(-1, plan.upper) * plan.upper_weights
        return torch.fft.irfft(spectrum, n=frames * self.hop)[..., lead : lead + length]

    def _plan(self, frames: int, like: Tensor) -> _Plan:
        """Returns the plan for `frames` frames, with the device and type of `like`."""
        plan = _make_plan(self.low, self.bins_per_octave, self.sample_rate, self.hop, frames)
        return _Plan(*(tensor.to(like.device, like.dtype if tensor.is_floating_point() else None) for tensor in plan))


class _Plan(NamedTuple):
    """Indices and weights of the folding. The spectrum has frames · hop bins; slot = band · frames + bin mod frames.

    Encoding: bins, weights `(bands * frames,)`: the bin of each slot and its weight. Decoding: lower, upper `(bins,)`: the slots of the two
    bands that hold a bin; lower_weights, upper_weights `(bins,)`: their weights.
    """

    bins: Tensor
    weights: Tensor
    lower: Tensor
    upper: Tensor
    lower_weights: Tensor
    upper_weights: Tensor


@lru_cache(maxsize=8)
def _make_plan(low: float, bins_per_octave: int, sample_rate: int, hop: int, frames: int) -> _Plan:
    """Returns a plan on the CPU in float64. It is cached: do not change it in place."""
    centres = torch.from_numpy(_centres(low, bins_per_octave, sample_rate=sample_rate, hop=hop))
    last, count = len(centres) - 1, frames * hop // 2 + 1
    bins = torch.arange(count)
    hertz = bins * (sample_rate / (frames * hop))
    lower = (torch.searchsorted(centres, hertz, right=True) - 1).clamp(0, last - 1)
    # Band 0 is constant up to the lower edge of the first band of the scale, which is as wide below `low` as above it.
    starts, ends = centres[:-1].clone(), centres[1:]
    starts[0] = max(0.0, 2 * low - float(centres[2])) if last > 1 else 0.0
    angle = ((hertz - starts[lower]) / (ends - starts)[lower]).clamp(0, 1) * (math.pi / 2)
    fall, rise = angle.cos().square(), angle.sin().square()
    total = (fall.square() + rise.square()).sqrt()
    fall, rise = fall / total, rise / total  # Hann windows, divided so that their squares sum to 1
    fall[angle >= math.pi / 2] = 0
    slot = bins % frames
    weights = torch.zeros((last + 1) * frames, dtype=torch.float64)
    bin_of_slot = torch.zeros_like(weights, dtype=torch.int64)
    # Negative frequencies are included by doubling: the first and last band hold real signals, the others analytic ones.
    encode_gain = torch.full((last + 1,), math.sqrt(2 / hop), dtype=torch.float64)
    decode_gain = 1 / encode_gain
    encode_gain[[0, last]], decode_gain[[0, last]] = 2 / math.sqrt(hop), math.sqrt(hop)
    once = torch.ones(count, dtype=torch.float64)
    once[[0, -1]] = 0.5  # 0 Hz and the highest frequency have no negative counterpart
    for band, window in ((lower, fall), (lower + 1, rise)):
        inside = window > 0
        slots = (band * frames + slot)[inside]
        bin_of_slot[slots], weights[slots] = bins[inside], (window * encode_gain[band] * once)[inside]
    upper = lower + 1
    return _Plan(bin_of_slot, weights, lower * frames + slot, upper * frames + slot, fall * decode_gain[lower], rise * decode_gain[upper])


@lru_cache(maxsize=32)
def _centres(low: float, bins_per_octave: int, *, sample_rate: int, hop: int) -> np.ndarray:
    """Returns centres in Hz, float64: 0, then the scale from `low` while bands are narrow enough, then evenly to half the sample rate."""
    top, widest, ratio = sample_rate / 2, sample_rate / (2 * hop), 2 ** (1 / bins_per_octave)
    count = 0
    while (step := low * ratio**count * (ratio - 1)) <= widest and low * ratio**count + 2 * step <= top:
        count += 1
    scale = low * ratio ** np.arange(count + 1)
    even = math.ceil((top - scale[-1]) / min(step, widest) - 1e-9)
    return np.concatenate([[0.0], scale, scale[-1] + (top - scale[-1]) * np.arange(1, even + 1) / even])


def _real_ends(values: Tensor) -> Tensor:
    """Returns values `(..., bands, frames)` with the imaginary part of the lowest and highest band set to zero."""
    real = torch.zeros(values.shape[-2], 1, dtype=torch.bool, device=values.device)
    real[0], real[-1] = True, True
    return torch.where(real, torch.complex(values.real, torch.zeros_like(values.real)), values)


def _fast_size(minimum: int) -> int:
    """Returns the smallest even number from `minimum` up without prime factors over 5."""
    size = minimum + minimum % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2
