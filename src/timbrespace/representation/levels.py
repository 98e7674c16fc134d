"""Levels in dB over a floor: what `bands`, `log` and `mel` have in common."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Floor = Annotated[float, Field(ge=20, le=120)]

SILENCE_DB = -120.0  # what a cell without any energy reads
_MARGIN_DB = 3.0  # a cell this near to the floor counts as lying on it


def to_level(power: Tensor, *, floor: float) -> Tensor:
    """Power `(batch, parts, bands, frames)` to dB, cut `floor` dB under each sound's loudest cell."""
    level = 10 * torch.log10(power.clamp_min(10 ** (SILENCE_DB / 10)))
    return torch.maximum(level, level.amax((1, 2, 3), keepdim=True) - floor)


def heard(level: Tensor, *, loudest: Tensor, floor: float) -> Tensor:
    """Which cells lie over the floor, when the loudest of the sound reads `loudest` dB; the others are silence."""
    return level > (loudest - floor).clamp_min(SILENCE_DB) + _MARGIN_DB
