"""Rise times of new sounds: mapped by rank, never slower; swells and what follows the peak stay as they are."""

from __future__ import annotations

import torch

from timbrespace.synthesis.detail_model.grid import RISES
from timbrespace.synthesis.detail_model.rise import rise, rise_map, sharpened

RATE = 44_100


def burst(milliseconds: float, *, seconds: float = 0.5) -> torch.Tensor:
    """Noise that rises evenly for some ms and then decays."""
    time = torch.arange(round(seconds * RATE)) / RATE
    size = (time / (milliseconds / 1000)).clamp_max(1) * torch.exp(-6 * (time - milliseconds / 1000).clamp_min(0))
    return (torch.sign(torch.sin(2 * torch.pi * 3_000 * time)) * size)[None]


def constant_map(rendered: float, true: float) -> torch.Tensor:
    spread = torch.linspace(-0.5, 0.5, RISES)
    return torch.log2(torch.tensor([rendered, true]))[:, None] + spread


def test_slow_attacks_become_as_fast_as_those_of_real_sounds() -> None:
    sound = burst(16.0)
    before = 1000 * rise(sound, RATE)
    made = sharpened(sound, RATE, constant_map(before, before / 2))
    assert made.shape == sound.shape
    assert abs(1000 * rise(made, RATE) / (before / 2) - 1) < 0.25
    assert float(made.abs().max()) <= float(sound.abs().max()) + 1e-6


def test_what_follows_the_attack_is_unchanged() -> None:
    sound = burst(16.0)
    made = sharpened(sound, RATE, constant_map(12.0, 5.0))
    moved = next(shift for shift in range(1_000) if torch.equal(made[0, 2_000:20_000], sound[0, 2_000 + shift : 20_000 + shift]))
    assert moved < 0.016 * RATE


def test_fast_sounds_swells_and_silence_stay_as_they_are() -> None:
    faster = constant_map(12.0, 5.0)
    assert torch.equal(sharpened(burst(12.0), RATE, faster.flip(0)), burst(12.0))  # never slower
    for sound in (burst(80.0), burst(300.0), torch.zeros(1, 4_000), torch.ones(1, 1)):
        assert torch.equal(sharpened(sound, RATE, faster), sound)
    assert torch.equal(sharpened(burst(12.0), RATE, torch.zeros(2, RISES)), burst(12.0))


def test_the_map_holds_ranks_of_both() -> None:
    found = rise_map([burst(k) for k in (10.0, 20.0, 30.0)], [burst(k) for k in (5.0, 10.0, 15.0)], RATE)
    assert found.shape == (2, RISES)
    assert bool((found.diff(dim=1) >= 0).all())
    assert abs(float((found[0] - found[1]).mean()) - 1) < 0.35  # half as long
