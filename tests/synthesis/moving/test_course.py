"""Where a moving sound is on its path at every frame."""

from __future__ import annotations

import torch

from timbrespace.synthesis.moving.course import evened, steady


def test_steady_places_are_a_ramp_between_two_plateaus() -> None:
    places = steady(20, 5, start=4, end=12)
    assert (places[:5] == 0).all()
    assert (places[12:] == 4).all()
    assert torch.allclose(places[4:13].diff(), torch.full((8,), 0.5, dtype=torch.float64))


def test_places_are_evened_where_some_keys_are_farther_apart() -> None:
    """Keys at 0, 1, 2, 3, 13 dB: the last step is ten times as large, and takes as much longer as its change is larger."""
    steps = torch.tensor([0.0, 1.0, 2.0, 3.0, 13.0])
    levels = steps[:, None, None, None].expand(5, 1, 40, 260).contiguous()
    places = evened(levels, start=0, end=260)
    passed = torch.stack([torch.lerp(steps[int(p)], steps[min(int(p) + 1, 4)], float(p) % 1) for p in places])
    change = passed.diff()
    assert float(places[0]) == 0
    assert (places.diff() >= 0).all()
    assert float(change.max()) < 1.5 * float(change.mean())
    uneven = torch.lerp(steps[:-1].repeat_interleave(65), steps[1:].repeat_interleave(65), torch.arange(260) % 65 / 65).diff()
    assert float(uneven.max()) > 2.5 * float(uneven.mean())  # at even times it would not be


def test_keys_that_do_not_differ_are_passed_steadily() -> None:
    same = torch.zeros(4, 1, 30, 50)
    assert torch.equal(evened(same, start=5, end=45), steady(50, 4, start=5, end=45))
    short = torch.randn(4, 1, 30, 2)
    assert torch.equal(evened(short, start=1, end=2), steady(2, 4, start=1, end=2))
