"""Even steps: positions on a path whose sounds are equally far apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

_ROUNDS = 4
_EVEN = 1.1  # largest step over the mean step, from which no further round is taken
_LEAST_DB = 0.05  # a path of smaller steps is one sound throughout


def step_sizes(features: list[Tensor], *, floor: float, early: float = math.inf) -> np.ndarray:
    """Returns the root mean square differences in dB of consecutive features `(parts, bands, frames)`, silent after their ends.

    early: the frame that counts half as much as the first, the one at three times that a quarter: on the way from a short sound to a
    very long one, its end would count for everything.
    """
    frames = max(one.shape[-1] for one in features)
    padded = [torch.nn.functional.pad(one, (0, frames - one.shape[-1]), value=floor) for one in features]
    weights = 1 / (1 + torch.arange(frames) / early)
    weights /= weights.sum()
    return np.array([float(((b - a).square().mean((0, 1)) * weights).sum().sqrt()) for a, b in pairwise(padded)])


def even_positions(
    features_at: Callable[[float], Tensor], start: float, end: float, steps: int, *, floor: float, early: float = math.inf
) -> list[float]:
    """Returns `steps` positions from `start` to `end`, both included, between which the features change by equal amounts.

    features_at: features in dB `(parts, bands, frames)` at a position. early: see `step_sizes`. A path that does not change keeps even
    positions.
    """
    places = np.linspace(start, end, steps)
    if steps < 3:
        return [float(place) for place in places]
    best, unevenness = places, np.inf
    ends = features_at(start), features_at(end)
    for _ in range(_ROUNDS):
        features = [ends[0], *(features_at(float(place)) for place in places[1:-1]), ends[1]]
        sizes = step_sizes(features, floor=floor, early=early)
        if sizes.mean() < _LEAST_DB:
            break
        if sizes.max() / sizes.mean() < unevenness:
            best, unevenness = places, sizes.max() / sizes.mean()
        if unevenness < _EVEN:
            break
        travelled = np.concatenate([[0.0], np.cumsum(np.maximum(sizes, 1e-3 * sizes.mean()))])
        places = np.interp(np.linspace(0, travelled[-1], steps), travelled, places)
        places[0], places[-1] = start, end
    return [float(place) for place in best]


def steps_by_segment(sizes: list[float], steps: int) -> list[int]:
    """Returns how many of `steps - 1` intervals each segment of a path gets, in proportion to its size, at least one each."""
    intervals = steps - 1
    counts = [1] * len(sizes)
    for _ in range(intervals - len(sizes)):
        counts[int(np.argmax([size / count for size, count in zip(sizes, counts, strict=True)]))] += 1
    return counts
