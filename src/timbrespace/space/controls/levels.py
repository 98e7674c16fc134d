"""Descriptors of levels in dB, without audio: a hundred times faster than rendering, and differentiable."""

from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio.describe import DESCRIPTORS, FLATTEST_DB, LENGTH_DB, LOW_END_HZ, NAMES
from timbrespace.audio.loudness import WINDOW, k_weighting
from timbrespace.representation.axes import Axes

MEASURED = ("brightness", "decay", "attack", "noisiness", "loudness", "length", "low_end")  # the others need the waveform
_TINY = 1e-12  # energy, of the loudest cell's
_ABOVE_FLOOR_DB = 3.0  # cells nearer to the floor are silent, as in decoding
_DECAY_DB = (-5.0, -35.0)  # as in `audio.descriptors.decay_time`


class LevelMeter:
    """Measures descriptors of levels in dB `(batch, parts, bands, frames)` of one view, on the scales of `audio.describe`.

    The values differ from those of audio by the resolution of the view in time and by what decoding adds: compare them with each other.
    axes: of the view, bands in Hz. floor: dB under the loudest cell. sample_rate: Hz.
    """

    def __init__(self, axes: Axes, *, floor: float, sample_rate: int):
        lower, upper = (torch.tensor(edges, dtype=torch.float32) for edges in (axes.lower, axes.upper))
        widths = (upper - lower).clamp_min(1e-3)
        self.hz = torch.tensor(axes.centres, dtype=torch.float32)
        self.share = widths / widths.sum()
        self.low_share = ((upper.clamp_max(LOW_END_HZ) - lower) / widths).clamp(0, 1)
        self.rate = 1 / axes.step_s
        self.floor = floor
        self.heard = torch.tensor(_k_gains(self.hz.tolist(), sample_rate))

    def __call__(self, levels: Tensor, frames: Tensor) -> Tensor:
        """Returns `(batch, len(DESCRIPTORS))`; NaN for descriptors that need the waveform.

        levels: `(batch, parts, bands, frames)`. frames `(batch,)`: of each sound, what follows is silent.
        """
        loudest = levels.detach().amax((1, 2, 3), keepdim=True)
        inside = torch.arange(levels.shape[-1]) < frames[:, None]
        audible = (levels > loudest - self.floor + _ABOVE_FLOOR_DB) & inside[:, None, None]
        power = torch.where(audible, torch.pow(10.0, (levels - loudest) / 10), 0.0).sum(1)
        energy = power * self.share[:, None]
        bands, course = energy.sum(2), energy.sum(1)
        total = bands.sum(1).clamp_min(_TINY)
        found = {
            "brightness": ((bands @ self.hz) / total).clamp_min(1.0).log2(),
            "decay": self._decay(course).log2(),
            "attack": self._attack(course).log2(),
            "noisiness": self._flatness(power.mean(2)),
            "loudness": self._loudness(energy, course),
            "length": self._length(course).log2(),
            "low_end": 10 * ((bands @ self.low_share) / total).clamp_min(1e-6).log10(),
        }
        undefined = torch.full((len(levels),), math.nan)
        return torch.stack([found.get(name, undefined) for name in NAMES], 1)

    def _flatness(self, power: Tensor) -> Tensor:
        """Flatness (log2) of mean power `(batch, bands)`."""
        mean = (power @ self.share).clamp_min(_TINY)
        logs = power.maximum(10 ** (FLATTEST_DB / 10) * mean.detach()[:, None]).clamp_min(1e-30).log()
        return (logs @ self.share - mean.log()) / math.log(2)

    def _decay(self, course: Tensor) -> Tensor:
        """Decay times in s, over 60 dB, of energies `(batch, frames)`, see `audio.descriptors.decay_time`."""
        left = course.flip(1).cumsum(1).flip(1)
        level = 10 * (left / left[:, :1].clamp_min(_TINY)).clamp_min(1e-7).log10()
        used = ((level <= _DECAY_DB[0]) & (level >= _DECAY_DB[1])).float()
        time = torch.arange(course.shape[1]) / self.rate
        count = used.sum(1, keepdim=True).clamp_min(1)
        centred = used * (time - (used * time).sum(1, keepdim=True) / count)
        slope = (centred * level).sum(1) / centred.square().sum(1).clamp_min(1e-12)
        quick = (level > _DECAY_DB[1]).float().sum(1) / self.rate * (60 / -_DECAY_DB[1])
        fitted = -60 / slope.clamp_max(-60 / DESCRIPTORS["decay"].high)
        return torch.where(used.sum(1) >= 3, fitted, quick).clamp_min(DESCRIPTORS["decay"].low)

    def _attack(self, course: Tensor) -> Tensor:
        """Rise times in s of energies `(batch, frames)`."""
        size = course.clamp_min(_TINY).sqrt()
        peak = size.amax(1, keepdim=True)
        rise = _crossing(size, 0.9 * peak) - _crossing(size, 0.1 * peak)
        return (rise / self.rate).clamp_min(DESCRIPTORS["attack"].low)

    def _length(self, course: Tensor) -> Tensor:
        """Lengths in s of energies `(batch, frames)`, between frames."""
        over = 10 * course.clamp_min(_TINY).log10()
        over = over - over.detach().amax(1, keepdim=True) + LENGTH_DB
        last = course.shape[1] - 1 - (over > 0).flip(1).int().argmax(1, keepdim=True)
        here = over.gather(1, last)
        after = over.gather(1, (last + 1).clamp_max(course.shape[1] - 1)).clamp_min(-LENGTH_DB)
        part = (here / (here - after).clamp_min(1e-3)).clamp(0, 1)
        return ((last + part)[:, 0] / self.rate).clamp_min(1 / self.rate)

    def _loudness(self, energy: Tensor, course: Tensor) -> Tensor:
        """K-weighted level of the loudest 0.4 s of energies `(batch, bands, frames)` over that of the loudest frame, dB."""
        window = max(1, round(WINDOW * self.rate))
        running = functional.pad((self.heard @ energy).cumsum(1), (1, 0))
        best = (running[:, window:] - running[:, :-window]).amax(1) if running.shape[1] > window else running[:, -1]
        return 10 * (best / window).clamp_min(_TINY).log10() - 10 * course.amax(1).clamp_min(_TINY).log10()


def _crossing(size: Tensor, level: Tensor) -> Tensor:
    """First time in frames at which `size (batch, frames)` reaches `level (batch, 1)`, from 0 before the first frame: `(batch,)`."""
    after = (size >= level).int().argmax(1, keepdim=True)
    high = size.gather(1, after)
    low = torch.where(after > 0, size.gather(1, (after - 1).clamp_min(0)), 0.0)
    return (after + ((level - low) / (high - low).clamp_min(_TINY)).clamp(0, 1))[:, 0]


def _k_gains(hz: list[float], rate: int) -> list[float]:
    """Power gains of the K filter at frequencies in Hz."""
    gains = []
    for one in hz:
        z, response = cmath.exp(-2j * math.pi * min(one, 0.499 * rate) / rate), 1.0 + 0j
        for b0, b1, b2, a0, a1, a2 in k_weighting(rate).tolist():
            response *= (b0 + b1 * z + b2 * z * z) / (a0 + a1 * z + a2 * z * z)
        gains.append(abs(response) ** 2)
    return gains
