"""Mid/side stereo, for representations without phase: a signal that both channels share gets one phase."""

from __future__ import annotations

import torch
from torch import Tensor


def to_mid_side(audio: Tensor) -> Tensor:
    """Returns middle and side of left and right, `(..., 2, time)`; mono `(..., 1, time)` is unchanged."""
    if audio.shape[-2] == 1:
        return audio
    left, right = audio[..., :1, :], audio[..., 1:, :]
    return torch.cat([left + right, left - right], -2) / 2


def from_mid_side(mid_side: Tensor) -> Tensor:
    """Returns left and right of middle and side, `(..., 2, time)`; mono `(..., 1, time)` is unchanged."""
    if mid_side.shape[-2] == 1:
        return mid_side
    middle, side = mid_side[..., :1, :], mid_side[..., 1:, :]
    return torch.cat([middle + side, middle - side], -2)
