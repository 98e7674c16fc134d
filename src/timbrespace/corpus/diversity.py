"""Selects a few sounds that represent many: the most diverse subset of points in a feature space."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timbrespace.contracts import ConfigError, ShapeError

Rule = Literal["mean", "nearest"]


def most_diverse(features: ArrayLike, count: int, *, rule: Rule = "nearest") -> NDArray[np.int64]:
    """Indices of the `count` most diverse of n points `(n, d)`, in the order of selection: `(count,)`.

    The first is the point nearest to the mean of all. Then rule "mean" repeatedly adds the point farthest from the mean of the
    selected ones; "nearest" (greedy k-center) the one farthest from its nearest selected point. Ties go to the lower index; the
    first m of a longer selection are the selection of m. Distances are Euclidean in the given features: scale them first.
    Time n · count · d, memory n · d.

    "mean" is the rule of an earlier sample synthesiser and selects extremes, many of them alike; "nearest" covers the whole space.
    Measured on 610 recorded drums, as points of `audio.embedding.embedding`, 100 selected by mean / nearest / random (20 draws): the
    distance of the other sounds to the nearest selected one is 10.4 / 6.3 / 6.2 dB on average, 20.9 / 9.5 / 21.2 at worst; that of
    sounds of unseen kits 10.8 / 8.6 / 8.3; 8 / 17 / 16 of 20 kinds are selected. With 200 selected: 9.1 / 4.3 / 5.1, 20.6 / 6.9 /
    20.0, 8.9 / 7.6 / 7.7, 11 / 19 / 19. So "nearest" is best from about a sixth of a collection; a smaller part is better drawn at
    random.

    Raises ShapeError (not a finite array of numbers), ConfigError (count outside 1 … n, an unknown rule).
    """
    try:
        given = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError):
        raise ShapeError("features must be an array of numbers (points, values)") from None
    if given.ndim != 2 or not given.shape[1]:
        raise ShapeError(f"features must have the shape (points, values), not {given.shape}")
    if not np.isfinite(given).all():
        raise ShapeError(f"features of point {int(np.argmin(np.isfinite(given).all(1)))} are not finite; leave such points out")
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= len(given):
        raise ConfigError(f"count is {count!r}, allowed is a whole number from 1 to {len(given)}, the number of points")
    if rule not in get_args(Rule):
        raise ConfigError(f"rule is {rule!r}, allowed are {', '.join(get_args(Rule))}")
    # Centred and scaled to at most 1: squares neither overflow nor lose digits to a common offset.
    points = given / max(float(np.abs(given).max(initial=0.0)), 1e-300)
    points -= points.mean(0)
    points /= max(float(np.abs(points).max(initial=0.0)), 1e-300)

    selected = np.empty(int(count), dtype=np.int64)
    free = np.ones(len(points), dtype=bool)
    nearest = np.full(len(points), np.inf)
    total = np.zeros(points.shape[1])
    for k in range(len(selected)):
        if k == 0:
            distance = -np.square(points).sum(1)
        elif rule == "mean":
            distance = np.square(points - total / k).sum(1)
        else:
            nearest = np.minimum(nearest, np.square(points - points[selected[k - 1]]).sum(1))
            distance = nearest
        selected[k] = np.argmax(np.where(free, distance, -np.inf))
        free[selected[k]] = False
        total += points[selected[k]]
    return selected
