"""Traits of levels: closed forms, limits of real sounds, and what is beyond them."""

from __future__ import annotations

import torch

from timbrespace.synthesis.detail_model.traits import excess, limits_of, traits

RATE = 172.0  # frames a second
CENTRES = [40.0 * k for k in range(1, 162)]  # bands from 75 on are over 3 kHz


def hit(*, hiss: float | None = None, rise: int = 1) -> torch.Tensor:
    levels = torch.full((1, 161, 100), -80.0)
    levels[0, 10, rise:] = -1.0 * torch.arange(100 - rise)
    levels[0, 10, :rise] = -20.0
    if hiss is not None:
        levels[0, 120, 30:] = hiss
    return levels.clamp_min(-80)


def found(levels: torch.Tensor) -> torch.Tensor:
    return traits(levels, centres=CENTRES, frames_per_second=RATE, floor=80.0)


def test_hiss_tail_and_rise_are_read_from_levels() -> None:
    loud, clean = found(hit(hiss=-45.0)), found(hit())
    assert abs(float(loud[0]) + 45) < 0.6
    assert float(clean[0]) < -60
    assert float(clean[1]) == -90  # silent from 77 dB under the loudest cell on
    assert float(found(hit(rise=7))[4]) == 3.0  # log2 of 1 + 7 frames
    assert float(clean[4]) == 1.0
    assert abs(float(clean[2]) - 0.31) < 1e-6  # 41 to 71 dB under the loudest


def test_sounds_within_the_limits_of_real_ones_are_accepted() -> None:
    real = torch.stack([found(hit(hiss=level)) for level in (-75.0, -70.0, -66.0)])
    limits = limits_of(real)
    assert all(excess(row, limits) == 0 for row in real)
    assert excess(found(hit(hiss=-40.0)), limits) > 1
    assert excess(found(hit(hiss=-40.0)), limits) > excess(found(hit(hiss=-55.0)), limits) > 0
    assert excess(found(hit(rise=20)), limits) > 0
    assert excess(found(hit()), limits_of(real[1:])) > 0  # far less highs than any real one
    quiet = found(hit(hiss=-75.0))
    assert excess(quiet - torch.tensor([30.0, 30.0, 0.2, 0.0, 1.0]), limits) == 0  # cleaner and faster is no fault


def test_bands_without_frequencies_have_highs_too() -> None:
    assert bool(torch.isfinite(traits(hit(hiss=-45.0), centres=None, frames_per_second=RATE, floor=80.0)).all())
    assert bool(torch.isfinite(traits(torch.full((2, 9, 1), -80.0), centres=None, frames_per_second=RATE, floor=80.0)).all())
