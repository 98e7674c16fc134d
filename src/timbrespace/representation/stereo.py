"""Stereo as middle and side, for views that lose phase: what both channels share keeps one phase."""

from __future__ import annotations

import torch
from torch import Tensor


def to_parts(audio: Tensor) -> Tensor:
    """Left and right `(..., 2, time)` to middle and side; mono `(..., 1, time)` stays."""
    if audio.shape[-2] == 1:
        return audio
    left, right = audio[..., :1, :], audio[..., 1:, :]
    return torch.cat([left + right, left - right], -2) / 2


def from_parts(parts: Tensor) -> Tensor:
    """Middle and side `(..., 2, time)` to left and right; mono `(..., 1, time)` stays."""
    if parts.shape[-2] == 1:
        return parts
    middle, side = parts[..., :1, :], parts[..., 1:, :]
    return torch.cat([middle + side, middle - side], -2)
