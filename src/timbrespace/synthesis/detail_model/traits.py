"""Traits of a sound's levels in which new sounds must be like real ones: hiss, tails, haze, highs, slow attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.synthesis.detail_model.draw import course, power_of

_HIGH_HZ, _LATE_SECONDS = 3_000.0, 0.12
_TOP = 0.6  # of the bands, for a representation whose bands have no frequencies: those above are high
_LINGER_DB = (-72.0, -40.0)
_PEAK_DB = -1.0
_MARGIN = 0.05  # of the range of real sounds, that new ones may go beyond it
_LEAST_MARGIN = (1.0, 2.0, 0.02, 1.0, 0.5)
_UNITS = (10.0, 10.0, 0.2, 10.0, 2.0)  # of the traits, in which their excesses are added
_TWO_SIDED, _NO_LIMIT = (False, False, False, True, False), 1e6


def traits(levels: Tensor, *, centres: Sequence[float] | None, frames_per_second: float, floor: float) -> Tensor:
    """Returns five numbers of levels `(parts, bands, frames)` in dB under the loudest cell.

    Level over 3 kHz after 120 ms, under the loudest frame (dB: hiss); level of the last tenth (dB: tail); share of the frames 40 to
    72 dB under the loudest (haze); level over 3 kHz of all (dB: highs); time to within 1 dB of the loudest frame (log2 frames: rise).
    """
    power = power_of(levels, floor).sum(0)
    bands, frames = power.shape
    top = torch.tensor(centres) >= _HIGH_HZ if centres is not None else torch.arange(bands) >= _TOP * bands
    whole, high = power.sum(0), power[top].sum(0)
    loudest, late = whole.max().clamp_min(1e-12), min(round(_LATE_SECONDS * frames_per_second), frames - 1)
    level = course(levels, floor)
    low, upper = _LINGER_DB
    return torch.stack([
        _decibels(high[late:].mean() / loudest),
        _decibels(whole[-max(1, frames // 10) :].mean() / loudest),
        ((level > low) & (level < upper)).float().mean(),
        _decibels(high.sum() / whole.sum().clamp_min(1e-12)),
        torch.log2(1.0 + (level > _PEAK_DB).int().argmax()),
    ])  # fmt: skip


def limits_of(found: Tensor) -> Tensor:
    """Returns the least and the most of traits of real sounds `(sounds, TRAITS)`, with a margin: `(2, TRAITS)`.

    Less hiss, tail or haze and a faster rise than any real sound has are no fault: only the highs have a least.
    """
    margin = _MARGIN * (found.amax(0) - found.amin(0)) + torch.tensor(_LEAST_MARGIN)
    least = torch.where(torch.tensor(_TWO_SIDED), found.amin(0) - margin, -_NO_LIMIT)
    return torch.stack([least, found.amax(0) + margin])


def excess(found: Tensor, limits: Tensor) -> float:
    """Returns how far traits `(TRAITS,)` are beyond `limits (2, TRAITS)`, in comparable units, added up; 0 within them."""
    low, high = limits
    beyond = (low - found).clamp_min(0) + (found - high).clamp_min(0)
    return float((beyond / torch.tensor(_UNITS)).sum())


def _decibels(ratio: Tensor) -> Tensor:
    return 10 * torch.log10(ratio.clamp_min(1e-9)) if math.isfinite(float(ratio)) else ratio.new_tensor(-90.0)
