"""Where a moving sound is on its path at every frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from timbrespace.synthesis.moving.course import evened, steady
from timbrespace.synthesis.moving.evenness import changes, paced, projected, settled


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


def test_projected_places_make_even_steps_where_the_sounds_are_far_apart_and_where_they_are_not() -> None:
    """Two sounds whose difference decays by 30 dB, with more keys near the first one."""
    time = torch.arange(320) / 320
    difference = 40 * (1 - 0.75 * time) * torch.linspace(0.2, 1.0, 24)[:, None]
    share = torch.linspace(0, 1, 9) ** 3
    levels = -50 + share[:, None, None, None] * difference
    places = projected(levels, start=0, end=320)
    assert float(places[0]) == 0
    assert float(places[-1]) == pytest.approx(8, abs=0.3)
    reached = torch.from_numpy(np.interp(places.numpy(), np.arange(9), share.numpy()))
    blocks = torch.stack([part.mean() for part in (reached).tensor_split(16)])
    size = torch.stack([part.square().mean().sqrt() for part in difference.tensor_split(16, 1)])
    change = blocks.diff() * (size[1:] + size[:-1]) / 2
    assert float(change.max() / change.mean()) < 1.15
    even = torch.stack([part.mean() for part in time.tensor_split(16)]).diff() * (size[1:] + size[:-1]) / 2
    assert float(even.max() / even.mean()) > 1.4  # at even steps of the place it would not be


def test_projected_places_of_equal_or_short_sounds_are_steady() -> None:
    same = torch.zeros(4, 1, 30, 50)
    assert torch.equal(projected(same, start=5, end=45), steady(50, 4, start=5, end=45))
    assert torch.equal(projected(torch.randn(4, 1, 30, 6), start=1, end=4), steady(6, 4, start=1, end=4))


def test_a_held_sound_is_rendered_again_until_it_moves_evenly() -> None:
    """A tone whose overtone comes in, at a place that moves slowly at first and then fast: the pace is corrected."""
    rate, hop, frames = 16_000, 160, 400
    time = torch.arange(frames * hop) / rate
    base = (torch.arange(frames, dtype=torch.float64) / (frames - 1)) ** 4 * 4
    renderings = []

    def render(pace: np.ndarray | None) -> tuple[torch.Tensor, torch.Tensor]:
        places = base if pace is None else paced(base, pace, start=0, end=frames)
        share = torch.from_numpy(np.interp(np.arange(frames * hop), np.arange(frames) * hop, places.numpy())).float() / 4
        level = 10 ** ((share * 50 - 60) / 20)
        audio = (0.3 * torch.sin(2 * torch.pi * 300 * time) + level * torch.sin(2 * torch.pi * 3_000 * time))[None]
        renderings.append((audio, changes(audio[0], rate)))
        return audio, places

    audio = settled(render, hop=hop, rate=rate)
    evenness = [float(change.max() / change.mean()) for _, change in renderings]
    assert len(renderings) > 1
    assert evenness[0] > 3
    assert min(evenness) < 2
    assert torch.equal(audio, renderings[int(np.argmin(evenness))][0])
