"""Levels in dB with a floor, as in `bands`, `log-stft` and `mel`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Floor = Annotated[float, Field(ge=20, le=120)]

SILENCE_DB = -120.0  # level of a cell without energy
_MARGIN_DB = 3.0  # cells less than this above the floor count as on the floor


def to_level(power: Tensor, *, floor: float) -> Tensor:
    """Returns levels in dB, clamped at `floor` dB under each sound's loudest cell: power `(batch, parts, bands, frames)`, same shape."""
    level = 10 * torch.log10(power.clamp_min(10 ** (SILENCE_DB / 10)))
    return torch.maximum(level, level.amax((1, 2, 3), keepdim=True) - floor)


def above_floor(level: Tensor, *, loudest: Tensor, floor: float) -> Tensor:
    """Returns which cells are above the floor, bool, same shape as `level` (dB); the others decode to silence.

    loudest: dB, of the sound's loudest cell. floor: dB under it.
    """
    return level > (loudest - floor).clamp_min(SILENCE_DB) + _MARGIN_DB
