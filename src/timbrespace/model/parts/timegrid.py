"""A coarse time axis for one-shots: single frames in the attack, then averages over runs that get longer."""

from __future__ import annotations

import torch
from torch import Tensor


def step_edges(frames: int, *, attack: int, steps: int) -> Tensor:
    """Returns edges `(steps + 1,)` of `steps` runs over `frames` frames: `attack` single frames, then evenly growing widths.

    There are fewer runs if `frames` is too small. The growth is found by bisection.

        frame  0 1 2 3 4 5 6 7 8 9 …
        step   0 1 2 3 4 4 5 5 5 6 …          attack = 4
    """

    def edges(growth: float) -> list[int]:
        found = [0]
        while found[-1] < frames:
            beyond = found[-1] - attack
            found.append(found[-1] + (1 if beyond < 0 else max(1, round(1 + growth * beyond))))
        found[-1] = frames
        return found

    low, high = 0.0, 1.0
    while len(edges(high)) - 1 > steps and high < frames:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if len(edges(middle)) - 1 > steps else (low, middle)
    return torch.tensor(edges(high), device="cpu")  # also while a model is built without memory


def averaging(edges: Tensor) -> Tensor:
    """Returns the averaging matrix `(frames, steps)`: `features (..., frames) @ averaging` is the mean of each run."""
    widths = edges.diff()
    steps = len(widths)
    return torch.zeros(int(edges[-1]), steps).index_put_(
        (torch.arange(int(edges[-1])), torch.repeat_interleave(torch.arange(steps), widths)),
        torch.repeat_interleave(1.0 / widths, widths),
    )


def interpolation(edges: Tensor) -> Tensor:
    """Returns the interpolation matrix `(steps, frames)`: linear between the centres of the runs, constant beyond the first and last."""
    frames, steps = int(edges[-1]), len(edges) - 1
    centres = (edges[1:] + edges[:-1] - 1) / 2
    matrix = torch.zeros(steps, frames)
    if steps == 1:
        return matrix.fill_(1.0)
    frame = torch.arange(frames)
    upper = torch.searchsorted(centres, frame.to(centres)).clamp(1, steps - 1)
    share = ((frame - centres[upper - 1]) / (centres[upper] - centres[upper - 1])).clamp(0, 1)
    matrix[upper - 1, frame] = 1 - share
    matrix[upper, frame] = share
    return matrix
