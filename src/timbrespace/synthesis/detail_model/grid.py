"""Piecewise linear functions over bands, frames and levels, as the detail model stores them: values at knots."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

BAND_KNOTS = (0.0, 0.05, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)  # of the range of bands
FRAME_KNOTS = (0.0, 3.0, 8.0, 20.0, 60.0, 160.0)  # frames after the onset
GROUP_KNOTS = (0.1, 0.35, 0.62, 0.88)  # of the range of bands, for the map of levels
ATTACK_FRAMES = 12  # whose levels are corrected
TRAITS = 5  # see `traits`
RISES = 9  # rise times at evenly spaced ranks, see `rise`
LEVELS = 41  # of a function of level: evenly spaced from the floor to the loudest cell


@lru_cache(maxsize=64)
def band_hats(bands: int, knots: tuple[float, ...] = BAND_KNOTS) -> Tensor:
    """Returns the matrix `(bands, knots)` that interpolates values at knots linearly over the bands."""
    return hats(torch.arange(bands) / max(1, bands - 1), torch.tensor(knots))


@lru_cache(maxsize=64)
def frame_hats(frames: int) -> Tensor:
    """Returns the matrix `(frames, knots)` that interpolates values at knots linearly over the frames."""
    return hats(torch.arange(frames).float(), torch.tensor(FRAME_KNOTS))


def hats(positions: Tensor, knots: Tensor) -> Tensor:
    """Returns weights `(positions, knots)`: linear between two knots, constant beyond the first and the last."""
    inside = positions.clamp(float(knots[0]), float(knots[-1]))
    upper = torch.searchsorted(knots, inside.contiguous()).clamp(1, len(knots) - 1)
    share = ((inside - knots[upper - 1]) / (knots[upper] - knots[upper - 1])).clamp(0, 1)
    rows, weights = torch.arange(len(positions)), torch.zeros(len(positions), len(knots))
    weights[rows, upper - 1] = 1 - share
    weights[rows, upper] = share
    return weights


def level_index(level: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Returns the lower of the two `LEVELS` around each level, and the share of the upper one. level: dB under the loudest cell."""
    position = ((level + floor) * ((LEVELS - 1) / floor)).clamp(0, LEVELS - 1.001)
    lower = position.nan_to_num(0.0).long()  # a damaged file may decode to anything
    return lower, position - lower


def level_knots(floor: float) -> Tensor:
    """Returns the `LEVELS` in dB, from the floor to 0."""
    return torch.linspace(-floor, 0.0, LEVELS)
