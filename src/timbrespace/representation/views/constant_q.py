"""`constant-q`: bands a fixed share of an octave wide, exactly undone (a painless non-stationary Gabor frame).

After Velasco, Holighaus, Dörfler and Grill 2011: windows over frequency cut the spectrum of the whole sound into overlapping bands, and
each band goes back to time on its own. All bands share one hop, so that the features are a rectangle:

    sound, zeros around it -> FFT of M · hop bins -> · window of band k -> folded onto M bins (bin mod M) -> inverse FFT -> M frames

A band no wider than M bins is folded without overlap ("painless"). Windows are smooth and their squares sum to 1 at every frequency: a
tight frame, whose way back are the same windows, and which keeps energy. A band of 0 Hz to `low` and one around the top complete it.

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
from timbrespace.representation.axes import CHANNELS, Axes, View, name_parts, phases
from timbrespace.representation.base import Representation
from timbrespace.representation.spectral import polar

_LONGEST_RING = 4.0  # s


class ConstantQ(Representation):
    """Constant-Q transform, a complex number a band and frame: real and imaginary part, or magnitude and phase (rad). Exact.

    bins_per_octave: bands an octave. low: Hz of the first of them; below lies one band. hop: samples between frames, of all bands; bands
    cannot be wider than sample_rate / hop, so the topmost are spaced evenly, half of that apart. form: complex or polar.
    The frames begin before the sound by half the time that the lowest band rings, and end as long after it. Full-scale sines at a band's
    centre read sqrt(hop / 2); the squares of all values sum to those of the samples.
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
                f"take a low of at most {sample_rate / (2 * hop):g} Hz" + (f" or a hop of at most {most}" if most >= 4 else "")
            )
        self.bins_per_octave, self.low, self.hop, self.form = bins_per_octave, low, hop, form
        step = low * (2 ** (1 / bins_per_octave) - 1)
        if 2 / step > _LONGEST_RING:
            raise ConfigError(
                f"low is {low:g} Hz with {bins_per_octave} bins_per_octave: so narrow a band rings for {2 / step:.1f} s, allowed are "
                f"{_LONGEST_RING:g} s; take fewer bins_per_octave or a low of at least {math.ceil(low * 2 / step / _LONGEST_RING)} Hz"
            )
        self.centres = _centres(low, bins_per_octave, sample_rate=sample_rate, hop=hop)
        self.bands, self.parts = len(self.centres), 2 * channels
        self._lead = math.ceil(sample_rate / step / hop)  # frames before the sound: half of 4 / (2 · step) s, the main lobe

    def frames(self, samples: int) -> int:
        """samples / hop and twice the lead before the sound, rounded up to an even number that FFTs are quick at."""
        return _quick(-(-samples // self.hop) + 2 * self._lead)

    def axes(self, length: int) -> Axes:
        """A band reaches from the centre of the one below to that of the one above; frames begin before the sound."""
        centres = self.centres.copy()
        meaning = f"a full-scale sine reads {math.sqrt(self.hop / 2):.3g}; the squares sum to those of the samples"
        views = (
            [View("magnitude", "", meaning, "magnitude"), phases()]
            if self.form == "polar"
            else [View("real", "", meaning, "signed"), View("imaginary", "", meaning, "signed")]
        )
        return Axes(
            parts=name_parts(views, CHANNELS[self.channels]),
            centres=np.concatenate([[self.low / 2], centres[1:]]),  # the lowest band is no peak at 0 Hz
            lower=np.concatenate([[0.0, 0.0], centres[1:-1]]),
            upper=np.concatenate([centres[1:], centres[-1:]]),
            frames=self.frames(length),
            first_s=-self._lead * self.hop / self.sample_rate,
            step_s=self.hop / self.sample_rate,
            spacing="linear then logarithmic",
        )

    def _encode(self, audio: Tensor) -> Tensor:
        frames, lead = self.frames(audio.shape[-1]), self._lead * self.hop
        plan = self._plan(frames, audio)
        spectrum = torch.fft.rfft(functional.pad(audio, (lead, frames * self.hop - lead - audio.shape[-1])))
        folded = spectrum.index_select(-1, plan.bins) * plan.cut
        values = torch.fft.ifft(folded.unflatten(-1, (self.bands, frames)))
        values = _real_ends(values)
        pair = polar(values) if self.form == "polar" else torch.view_as_real(values).unbind(-1)
        return torch.stack(pair, 2).flatten(1, 2)

    def _decode(self, features: Tensor, *, length: int, seed: int) -> Tensor:
        frames, lead = features.shape[-1], self._lead * self.hop
        plan = self._plan(frames, features)
        one, two = features[0::2].contiguous(), features[1::2].contiguous()
        values = torch.polar(one.clamp_min(0), two) if self.form == "polar" else torch.complex(one, two)
        folded = torch.fft.fft(_real_ends(values)).flatten(-2)
        spectrum = folded.index_select(-1, plan.below) * plan.share_below + folded.index_select(-1, plan.above) * plan.share_above
        return torch.fft.irfft(spectrum, n=frames * self.hop)[..., lead : lead + length]

    def _plan(self, frames: int, like: Tensor) -> _Plan:
        plan = _make_plan(self.low, self.bins_per_octave, self.sample_rate, self.hop, frames)
        return _Plan(*(tensor.to(like.device, like.dtype if tensor.is_floating_point() else None) for tensor in plan))


class _Plan(NamedTuple):
    """Where every bin of a spectrum of frames · hop samples goes. Slots are band · frames + bin mod frames.

    bins, cut `(bands * frames,)`: the bin that a slot takes and its weight. below, above, share_below, share_above `(bins,)`: the slots of
    the two bands that hold a bin, and their weights on the way back.
    """

    bins: Tensor
    cut: Tensor
    below: Tensor
    above: Tensor
    share_below: Tensor
    share_above: Tensor


@lru_cache(maxsize=8)
def _make_plan(low: float, bins_per_octave: int, sample_rate: int, hop: int, frames: int) -> _Plan:
    """Shared, not to be changed in place."""
    centres = torch.from_numpy(_centres(low, bins_per_octave, sample_rate=sample_rate, hop=hop))
    last, count = len(centres) - 1, frames * hop // 2 + 1
    bins = torch.arange(count)
    hertz = bins * (sample_rate / (frames * hop))
    below = (torch.searchsorted(centres, hertz, right=True) - 1).clamp(0, last - 1)
    # Band 0 is flat up to where the first band of the scale begins, which is as wide below `low` as above it.
    starts, ends = centres[:-1].clone(), centres[1:]
    starts[0] = max(0.0, 2 * low - float(centres[2])) if last > 1 else 0.0
    way = ((hertz - starts[below]) / (ends - starts)[below]).clamp(0, 1) * (math.pi / 2)
    fall, rise = way.cos().square(), way.sin().square()
    total = (fall.square() + rise.square()).sqrt()
    fall, rise = fall / total, rise / total  # Hann windows, divided so that their squares sum to 1
    fall[way >= math.pi / 2] = 0
    slot = bins % frames
    cut = torch.zeros((last + 1) * frames, dtype=torch.float64)
    taken = torch.zeros_like(cut, dtype=torch.int64)
    # What lies at negative frequencies counts by doubling: bands between the ends then hold analytic signals, the ends real ones.
    there = torch.full((last + 1,), math.sqrt(2 / hop), dtype=torch.float64)
    back = 1 / there
    there[[0, last]], back[[0, last]] = 2 / math.sqrt(hop), math.sqrt(hop)
    once = torch.ones(count, dtype=torch.float64)
    once[[0, -1]] = 0.5  # 0 Hz and the top frequency have no negative twin
    for band, weight in ((below, fall), (below + 1, rise)):
        held = weight > 0
        place = (band * frames + slot)[held]
        taken[place], cut[place] = bins[held], (weight * there[band] * once)[held]
    return _Plan(taken, cut, below * frames + slot, (below + 1) * frames + slot, fall * back[below], rise * back[below + 1])


@lru_cache(maxsize=32)
def _centres(low: float, bins_per_octave: int, *, sample_rate: int, hop: int) -> np.ndarray:
    """Centres in Hz, float64: 0, then from `low` up by the scale while bands are narrow enough, then evenly to half the sample rate."""
    top, widest, ratio = sample_rate / 2, sample_rate / (2 * hop), 2 ** (1 / bins_per_octave)
    count = 0
    while (step := low * ratio**count * (ratio - 1)) <= widest and low * ratio**count + 2 * step <= top:
        count += 1
    scale = low * ratio ** np.arange(count + 1)
    even = math.ceil((top - scale[-1]) / min(step, widest) - 1e-9)
    return np.concatenate([[0.0], scale, scale[-1] + (top - scale[-1]) * np.arange(1, even + 1) / even])


def _real_ends(values: Tensor) -> Tensor:
    """The lowest and the topmost band `(..., bands, frames)` hold real signals."""
    real = torch.zeros(values.shape[-2], 1, dtype=torch.bool, device=values.device)
    real[0], real[-1] = True, True
    return torch.where(real, torch.complex(values.real, torch.zeros_like(values.real)), values)


def _quick(least: int) -> int:
    """The least even number from `least` up that has no prime factor over 5."""
    found = least + least % 2
    while True:
        rest = found
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return found
        found += 2
