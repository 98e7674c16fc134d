"""Paths between points of the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.contracts import ShapeError


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
