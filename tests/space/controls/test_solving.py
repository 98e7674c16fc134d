"""The shortest step that fulfils a wish, on functions whose answer is known in closed form."""

import pytest
import torch
from torch import Tensor

from timbrespace.space.controls import solving
from timbrespace.space.controls.solving import TOLERANCE, Wish, follow, shortest_step

RANK, SIZE = 6, 3
NO_METRIC = torch.zeros(RANK, RANK)


def slopes() -> Tensor:
    return torch.randn(1, SIZE, RANK, generator=torch.Generator().manual_seed(2))


def wish(amount: float, *, asked: int = 0, held: tuple[int, ...] = ()) -> Wish:
    changes = torch.zeros(1, SIZE)
    changes[0, asked] = amount
    places = torch.arange(SIZE)
    return Wish(changes, places == asked, torch.tensor([place in held for place in range(SIZE)]))


def test_the_shortest_step_is_along_the_slope():
    own = slopes()
    step = shortest_step(own, NO_METRIC, wish(1.0), torch.zeros(1, RANK), torch.zeros(1, SIZE))
    gradient = own[0, 0]
    assert torch.allclose(step[0], gradient / gradient.square().sum(), rtol=1e-3)


def test_held_descriptors_move_less_the_more_they_are_held(monkeypatch: pytest.MonkeyPatch):
    own, moved = slopes(), []
    for weight in (0.0, 4.0, 1e6):
        monkeypatch.setattr(solving, "HOLD", weight)
        step = shortest_step(own, NO_METRIC, wish(1.0, held=(1, 2)), torch.zeros(1, RANK), torch.zeros(1, SIZE))
        change = (own @ step[:, :, None])[0, :, 0]
        assert float(change[0]) == pytest.approx(1.0, abs=1e-2)
        moved.append(float(change[1:].norm()))
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 1e-3


def test_directions_that_change_the_sound_more_are_avoided():
    own = torch.zeros(1, SIZE, RANK)
    own[0, 0, :2] = 1.0  # two coordinates do the same
    metric = torch.zeros(RANK, RANK)
    metric[0, 0] = 1.0  # and one of them changes the sound beside it
    step = shortest_step(own, metric, wish(1.0), torch.zeros(1, RANK), torch.zeros(1, SIZE))[0]
    assert float(step[1] / step[0]) == pytest.approx(1 + solving.AUDIBLE, rel=1e-3)


def curved(steps: Tensor) -> Tensor:
    """Descriptors that bend: each is a sine along its own direction, and the first two share one."""
    across = steps @ slopes()[0].T
    return torch.stack([torch.sin(across[:, 0]) + 0.3 * across[:, 1] ** 2, across[:, 1] + 0.2 * across[:, 0] ** 2, across[:, 2]], 1)


@pytest.mark.parametrize("amount", [0.7, -0.7])
def test_a_curved_path_is_corrected_by_measuring(amount: float):
    asked = wish(amount, held=(1, 2))
    straight = follow(curved, slopes(), NO_METRIC, asked, corrections=0, farthest=9.0)
    corrected = follow(curved, slopes(), NO_METRIC, asked, corrections=6, farthest=9.0)
    assert abs(float(straight.changes[0, 0]) - amount) > TOLERANCE
    assert float(corrected.changes[0, 0]) == pytest.approx(amount, abs=TOLERANCE)
    assert torch.equal(curved(corrected.steps), corrected.changes)


def test_what_cannot_be_reached_is_approached_and_the_step_stays_short():
    found = follow(curved, slopes(), NO_METRIC, wish(1e4, asked=2), corrections=8, farthest=2.0)
    most = 2.0 * float(slopes()[0, 2].norm())
    assert float(found.steps.norm()) <= 2.0 + 1e-4
    assert 0.9 * most < float(found.changes[0, 2]) <= most + 1e-3


def test_wrong_slopes_are_learned_from_what_is_measured():
    wrong = slopes() + 0.7 * torch.randn(1, SIZE, RANK, generator=torch.Generator().manual_seed(5))
    found = follow(curved, wrong, NO_METRIC, wish(0.6), corrections=8, farthest=9.0)
    assert float(found.changes[0, 0]) == pytest.approx(0.6, abs=TOLERANCE)


@pytest.mark.parametrize("steep", [1e3, 1e5, 1e8])
def test_slopes_that_are_very_steep_have_a_step_too(steep: float):
    """Beside a silent sound descriptors change by any amount: the squared length of the step is lost in single precision."""
    own = slopes()
    own[:, 1:] *= steep
    step = shortest_step(own, NO_METRIC, wish(1.0, held=(1, 2)), torch.zeros(1, RANK), torch.zeros(1, SIZE))
    assert torch.isfinite(step).all()
    change = (own.double() @ step.double()[:, :, None])[0, :, 0]
    assert 0 <= float(change[0]) <= 1.02
    assert steep > 1e6 or float(change[0]) == pytest.approx(1.0, abs=0.02)
