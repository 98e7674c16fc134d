"""Paths through points of the latent space: lines, arcs, splines, and curves of values over time.

Points are tensors of any one shape, `(dims,)` or `(dims, steps)`; a position is 0 at the first point, 1 at the second, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ShapeError

_PARALLEL = 1e-4  # rad; of vectors nearer than this to each other's line the arc is the straight line
_CENTRIPETAL = 0.5  # exponent of the distances between knots (Lee 1989): no loops, no overshoot at near knots


def line(points: Tensor, steps: int) -> Tensor:
    """Returns `(steps, dims)` points along the straight segments through `points (corners, dims)`, both ends included.

    Every segment has the same share of the steps, whatever its length. One step gives the first point.
    Raises ShapeError for fewer than two points or no step.
    """
    if points.ndim != 2 or len(points) < 2 or steps < 1:
        raise ShapeError(f"a line needs two points (corners, dims) or more and one step or more, not {tuple(points.shape)} and {steps}")
    position = torch.linspace(0, len(points) - 1, steps, dtype=points.dtype) if steps > 1 else torch.zeros(1, dtype=points.dtype)
    start = position.floor().long().clamp_max(len(points) - 2)
    share = (position - start)[:, None]
    return points[start] * (1 - share) + points[start + 1] * share


def between(points: Sequence[Tensor], position: float) -> Tensor:
    """Returns the point at a position on the straight segments through `points`; beyond the ends the outer segments go on."""
    first, share = segment(len(points), position)
    if share in (0.0, 1.0):
        return points[first + int(share)]
    return points[first] * (1 - share) + points[first + 1] * share


def arc(points: Sequence[Tensor], position: float) -> Tensor:
    """Returns the point at a position on great-circle arcs about the origin through `points` (slerp, Shoemake 1985).

    Between neighbours the direction turns by equal angles for equal steps, and the length changes evenly. Of time-varying points each
    step turns by itself. Parallel and opposite directions, and a zero vector, have no arc: there the path is straight. Beyond the ends
    the turn goes on.
    """
    first, share = segment(len(points), position)
    if share in (0.0, 1.0):
        return points[first + int(share)]
    return slerp(points[first], points[first + 1], share)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Returns the point between `a` and `b`, both `(dims,)` or `(dims, steps)`, on the arc about the origin; see `arc`."""
    lengths = [x.norm(dim=0) for x in (a, b)]
    cosine = (a * b).sum(0) / (lengths[0] * lengths[1]).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    curved = (angle > _PARALLEL) & (angle < torch.pi - _PARALLEL) & (lengths[0] > 0) & (lengths[1] > 0)
    safe = torch.where(curved, angle, 1.0)
    length = lengths[0] * (1 - share) + lengths[1] * share
    units = [x / size.clamp_min(1e-12) for x, size in zip((a, b), lengths, strict=True)]
    turned = (torch.sin((1 - share) * safe) * units[0] + torch.sin(share * safe) * units[1]) / torch.sin(safe) * length
    return torch.where(curved, turned, a * (1 - share) + b * share)


def spline(points: Sequence[Tensor], position: float) -> Tensor:
    """Returns the point at a position on a smooth curve through `points`: a centripetal Catmull-Rom spline, see Lee 1989.

    Through two points it is the straight line. Neighbouring knots are as far apart as the root of their distance, at least a hundredth
    of the largest; the tangent at a knot is that of the parabola through it and its neighbours; at the ends, that of the parabola
    through the outer three. Beyond the ends it goes straight on.
    """
    first, share = segment(len(points), position)
    if share in (0.0, 1.0):
        return points[first + int(share)]
    gaps = torch.stack([(b - a).norm() for a, b in pairwise(points)]).double() ** _CENTRIPETAL
    gaps = gaps.clamp_min(max(1e-2 * float(gaps.max()), 1e-12))
    gap = float(gaps[first])
    start, end = (_tangent(points, gaps, knot) * gap for knot in (first, first + 1))
    if share < 0:
        return points[first] + share * start
    if share > 1:
        return points[first + 1] + (share - 1) * end
    s, s2, s3 = share, share**2, share**3
    a, b = points[first], points[first + 1]
    return (2 * s3 - 3 * s2 + 1) * a + (s3 - 2 * s2 + s) * start + (3 * s2 - 2 * s3) * b + (s3 - s2) * end


def _tangent(points: Sequence[Tensor], gaps: Tensor, knot: int) -> Tensor:
    """The derivative at a knot of the parabola through three neighbouring points."""
    if len(points) == 2:
        return (points[1] - points[0]) / float(gaps[0])
    middle = min(max(knot, 1), len(points) - 2)
    before, after = float(gaps[middle - 1]), float(gaps[middle])
    slope_before = (points[middle] - points[middle - 1]) / before
    slope_after = (points[middle + 1] - points[middle]) / after
    bend = (slope_after - slope_before) / (before + after)
    offset = {middle - 1: -before, middle: 0.0, middle + 1: after}[knot]
    return slope_before + bend * (before + 2 * offset)


def segment(count: int, position: float) -> tuple[int, float]:
    """Returns the first of the two of `count` points around a position, and the share of the second: under 0 or over 1 beyond the ends.

    Raises ShapeError for fewer than two points.
    """
    if count < 2:
        raise ShapeError(f"a path needs two points or more, not {count}")
    first = min(max(int(np.floor(position)), 0), count - 2)
    return first, float(position) - first


def curve(values: Sequence[float], time: float) -> float:
    """Returns the value at a relative time, 0 to 1, of a list of values that are evenly spread over the time: straight between them."""
    return float(np.interp(time * (len(values) - 1), np.arange(len(values)), values))
