"""Overlap-add: windows that fade into each other become one stream, of frames or of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.synthesis.transfer.windows import Window


class Made(NamedTuple):
    """What was made of a window: values `(…, points)` from the point `first` on, and their weights `(points,)`.

    Points are frames or samples. The weights of all windows add up to 1 at every point.
    """

    first: int
    values: Tensor
    weights: Tensor


def fades(window: Window, points: int, *, hop: int = 1) -> Tensor:
    """Returns the weights of a window's points `(points,)`, `hop` samples apart: linear fades, which add up to 1 with the neighbours'."""
    weights = torch.ones(points)
    rising, falling = window.fade_in // hop, window.fade_out // hop
    place = torch.arange(points, dtype=torch.float32)
    if rising:
        weights = torch.minimum(weights, (place + 0.5) / rising)
    if falling:
        end = (window.stop - window.start) // hop
        weights = torch.minimum(weights, (end - place - 0.5) / falling)
    return weights.clamp(0, 1)


class Overlapped:
    """A stream of values, made of windows as they are needed; what was read is forgotten."""

    def __init__(self, windows: Iterator[Made], silence: Tensor):
        """silence: one point without a window, `(…, 1)`."""
        self._windows, self._silence = windows, silence
        self._first = self._done = 0  # the first point that is held, and the first that later windows may change
        self._held = silence[..., :0]
        self._next: Made | None = next(windows, None)

    def read(self, first: int, count: int) -> Tensor:
        """Returns points `(…, count)` from `first` on, not before that of an earlier call; silence after the last window."""
        while self._next is not None and self._next.first < first + count:
            self._add(self._next)
            self._next = next(self._windows, None)
        drop = min(max(first - self._first, 0), self._held.shape[-1])
        self._held, self._first = self._held[..., drop:].clone(), self._first + drop
        skip = first - self._first  # 0, or beyond all that is held
        found = self._held[..., skip : skip + count]
        if found.shape[-1] == count:
            return found
        return torch.cat([found, self._silence.expand(*self._silence.shape[:-1], count - found.shape[-1])], -1)

    def _add(self, made: Made) -> None:
        start = made.first - self._first
        missing = start + made.values.shape[-1] - self._held.shape[-1]
        if missing > 0:
            self._held = torch.cat([self._held, self._held.new_zeros(*self._held.shape[:-1], missing)], -1)
        self._held[..., start : start + made.values.shape[-1]] += made.values * made.weights
