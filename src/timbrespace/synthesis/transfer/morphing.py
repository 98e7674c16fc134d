"""A morph over time: recordings beside each other, whose latents and features move from one to the next while they sound."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.synthesis.detail.blend import blend, hold_background
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.feed import Feed
from timbrespace.synthesis.transfer.makers import Maker
from timbrespace.synthesis.transfer.recording import Recording
from timbrespace.synthesis.transfer.views import SILENCE, in_levels, power_of, silenced, silent_frames
from timbrespace.synthesis.transfer.windowed import Encoded, encoded_windows
from timbrespace.synthesis.transfer.windows import Window

_BEYOND = 1.3  # places before the first and after the last recording, as of `explore --curve`
_MOST_VALUES = 10_000
_SILENT_DB = -120.0
_SOFTER_DB = (18.0, 40.0)  # under the other recording: from where on, and until where, a recording loses its weight
_LEAST_WEIGHT = 1e-3
_AROUND = 9  # frames around one in which its level is the loudest


@dataclass(frozen=True)
class Course:
    """Places among recordings over time: 0 is the first, 1 the second … values: evenly spread from sample 0 to `end`, then held."""

    values: tuple[float, ...]
    end: int

    def at(self, samples: Tensor) -> Tensor:
        """Returns the places at times in samples, of the same shape."""
        grid = np.linspace(0.0, max(self.end, 1), len(self.values))
        return torch.from_numpy(np.interp(samples.double().numpy(), grid, self.values)).float()


def check_values(values: Sequence[float], count: int) -> tuple[float, ...]:
    """Returns the values of a course among `count` recordings. Raises ConfigError."""
    low, high = -_BEYOND, count - 1 + _BEYOND
    if not 2 <= len(values) <= _MOST_VALUES:
        raise ConfigError(f"the curve has {len(values)} values, allowed are 2 to {_MOST_VALUES}: places from 0, the first, to {count - 1}")
    for value in values:
        if not (isinstance(value, int | float) and low <= value <= high):
            raise ConfigError(
                f"a value of the curve is {value!r:.40}, allowed is {low:g} to {high:g}: 0 is the first, {count - 1} the last"
            )
    return tuple(float(value) for value in values)


class OverTime(Maker):
    """A morph of recordings whose place moves over time. Where the view keeps detail, it is blended as in a morph of sounds.

    soft: whether the latent changes softly at the onsets of a recording that weighs little; older recipes are without it. Only where the
    view keeps detail: attacks are in that.
    """

    def __init__(
        self, contents: InstrumentContents, recordings: Sequence[Recording], course: Course, *, seed: int, soft: bool = False
    ):  # fmt: skip
        super().__init__(contents)
        self._soft = soft and contents.representation.starts_near
        self._feeds: list[Feed] = [one.open() for one in recordings]
        self._peaks = [one.peak for one in recordings]
        self._course, self._seed = course, seed
        self._encoded: list[Iterator[Encoded]] = []

    def weight(self, number: int, sample: int) -> float:
        """See `Maker`."""
        return max(0.0, 1 - abs(float(self._course.at(torch.tensor([sample]))[0]) - number)) if self._soft else 1.0

    def start(self, windows: Sequence[Window]) -> None:
        """See `Maker`."""
        firsts = [self._first(window) for window in windows]
        for number, (feed, peak) in enumerate(zip(self._feeds, self._peaks, strict=True)):
            near = [window for window, first in zip(windows, firsts, strict=True) if number - first in (0, 1)]
            self._encoded.append(encoded_windows(self.model, feed, near, peak=peak))

    def features(self, window: Window) -> Tensor:
        """See `Maker`."""
        first, (a, b) = self._pair(window)
        latents = _latents(a, b)
        if latents is None:
            return silent_frames(self.view, self.model.frames(window))
        za, zb = latents
        at = window.start + torch.arange(a.own.shape[-1]) * self.model.hop
        share = (self._course.at(at) - first).clamp(0, 1)
        weighted = share if not in_levels(self.view) else _weighted(share, *(_frame_levels(one.own) for one in (a, b)))
        made = self.model.decode(self._between(za, zb, first, window, weighted - share), window)
        if not self.contents.representation.starts_near:
            made = silenced(self.view, made)
            power = power_of(self.view, made)
            levels = [10 * math.log10(max(power_of(self.view, one.own), 1e-12)) for one in (a, b)]
            gain = 10 ** (_level(levels, share) / 20) / max(power, 1e-12) ** 0.5
            scaled: Tensor = self.view.scaled(made, gain)
            return torch.where(made > SILENCE / 2, scaled, SILENCE) if in_levels(self.view) else scaled
        floor, levels = -self.view.floor, [max(float(one.own.max()), _SILENT_DB) for one in (a, b)]
        own = [(one.own - level).clamp_min(floor) for one, level in zip((a, b), levels, strict=True)]
        residuals = [features - self.model.decode(z, window) for features, z in zip(own, (za, zb), strict=True)]
        if a.z is None or b.z is None:  # one of them is silent
            residuals, own = [residuals[a.z is None]] * 2, [own[a.z is None]] * 2
        made = made + blend(residuals[0], residuals[1], weighted)
        loudest = torch.where(share == 0, own[0], torch.where(share == 1, own[1], torch.maximum(own[0], own[1])))
        made = hold_background(made, loudest, floor=floor)
        return torch.where(loudest > floor, made + _level(levels, share), SILENCE)

    def audio(self, window: Window) -> Tensor:
        """See `Maker`."""
        first, (a, b) = self._pair(window)
        latents = _latents(a, b)
        if latents is None:
            return torch.zeros_like(a.audio)
        za, zb = latents
        z = self._between(za, zb, first, window, torch.zeros(1))
        made = self.model.decode_audio(z, window, seed=seed_of(self._seed, window.start))
        share = (self._course.at(window.start + torch.arange(made.shape[1])) - first).clamp(0, 1)
        levels = [10 * math.log10(max(float(one.audio.double().square().sum()), 1e-12)) for one in (a, b)]
        return made * (10 ** (_level(levels, share) / 20) / max(float(made.double().square().sum()), 1e-12) ** 0.5)

    def _pair(self, window: Window) -> tuple[int, list[Encoded]]:
        """The recording before the place of a window, by number, and both around it, encoded."""
        first = self._first(window)
        return first, [next(self._encoded[first + k]) for k in (0, 1)]

    def _first(self, window: Window) -> int:
        middle = self._course.at(torch.tensor([(window.start + window.stop) / 2]))
        return int(middle.floor().clamp(0, len(self._feeds) - 2))

    def _between(self, a: Tensor, b: Tensor, first: int, window: Window, more: Tensor) -> Tensor:
        """The latent between two, step by step where it varies in time. more: added to the share of the second, `(frames,)`."""
        model = self.contents.model
        if not model.time_varying:
            share = self._course.at(torch.tensor([(window.start + window.stop) / 2]))[0] - first + more.mean()
            z = torch.lerp(a, b, share)
        else:
            at = window.start - window.before + (torch.arange(a.shape[1]) + 0.5) * (self.model.hop * model.stride)
            frames = torch.arange(a.shape[1]) * model.stride - window.before // self.model.hop
            z = torch.lerp(a, b, self._course.at(at) - first + more[frames.clamp(0, len(more) - 1)])
        return model.project(z[None])[0]


def _latents(a: Encoded, b: Encoded) -> tuple[Tensor, Tensor] | None:
    """The latents of two windows; a silent one has that of the other. None where both are silent."""
    if a.z is None:
        return None if b.z is None else (b.z, b.z)
    return a.z, a.z if b.z is None else b.z


def _frame_levels(own: Tensor) -> Tensor:
    """The level around each frame `(frames,)` of features in dB `(parts, bands, frames)`."""
    loudest = own.amax((0, 1)).clamp_min(_SILENT_DB)
    return torch.nn.functional.max_pool1d(loudest[None, None], _AROUND, stride=1, padding=_AROUND // 2)[0, 0]


def _weighted(share: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The share of the second recording `(frames,)` where one is much softer than the other, as in a rest: it then decides less.

    a, b: levels in dB `(frames,)`.
    """
    first, last = _SOFTER_DB
    loudest = torch.maximum(a, b)
    one, other = (((last - (loudest - level)) / (last - first)).clamp(_LEAST_WEIGHT, 1) for level in (a, b))
    return share * other / ((1 - share) * one + share * other)


def _level(levels: Sequence[float], share: Tensor) -> Tensor:
    """The level in dB between two, of the shape of `share`: in dB where they are alike, in power where one is nearly silent."""
    a, b = (torch.tensor(level).expand(share.shape) - min(levels) for level in levels)
    return blend(a, b, share) + min(levels)
