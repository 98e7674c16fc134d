"""Ways from one point of the latent space to another."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.contracts import ShapeError


def line(points: Tensor, steps: int) -> Tensor:
    """`steps` points evenly along the straight segments through `points (corners, dims)`, both ends included: `(steps, dims)`.

    Even in the parameter: every segment takes the same share of the steps. One step gives the first point.
    """
    if points.ndim != 2 or len(points) < 2 or steps < 1:
        raise ShapeError(f"a line needs two points (corners, dims) or more and one step or more, not {tuple(points.shape)} and {steps}")
    place = torch.linspace(0, len(points) - 1, steps, dtype=points.dtype) if steps > 1 else torch.zeros(1, dtype=points.dtype)
    start = place.floor().long().clamp_max(len(points) - 2)
    share = (place - start)[:, None]
    return points[start] * (1 - share) + points[start + 1] * share
