"""What the numbers of a card mean for its owner."""

from __future__ import annotations

from typing import Any

import pytest

from timbrespace.report.advice import advice_lines
from timbrespace.training.history import OVERFIT_LIMIT

TRAINING = {"minutes_asked": 2.0, "epochs_asked": None, "patience": 12, "seconds": {"prepare": 10.0, "train": 60.0}, "overfit_ratio": 1.1}


def lines(training: dict[str, Any] | None = None, reconstruction: dict[str, Any] | None = None) -> list[str]:
    card = {"training": TRAINING | (training or {}), "reconstruction": {"sounds": 9, "on": "test"} | (reconstruction or {})}
    return advice_lines(card, {"model": {"dims": 32}})


def test_a_good_card_needs_no_advice() -> None:
    assert lines() == []


def test_an_early_stop_says_why() -> None:
    (line,) = lines({"stopped_early": True})
    assert "--minutes 2 ended after 70 s" in line
    assert "no check was better for 12 checks" in line
    (line,) = lines({"stopped_early": True, "epochs_asked": 400.0})
    assert "--epochs 400 ended after 70 s" in line


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        ({"step": [0, 10, 20], "validation": [6.2, 17.0, 9.5]}, "the training never improved on its start: an error of 6.2 before"),
        ({"step": [0, 10, 10, 20], "validation": [8.0, 4.0, 60.0, 61.0], "stage": [1.0, 1.0, 2.0, 2.0]}, "stage 2 of the training never"),
        ({"step": [0, 10], "validation": [5.0, 5.0]}, "of 5 at the best check after it"),
    ],
)
def test_a_training_that_never_improved_says_so(curve: dict[str, list[float]], words: str) -> None:
    (line,) = lines({"curve": curve, "best_step": 10})
    assert words in line
    assert "--find-lr" in line
    assert "the instrument is its start" not in line
    (line,) = lines({"curve": curve, "best_step": 0})
    assert "the instrument is its start" in line


@pytest.mark.parametrize(
    "curve",
    [
        {"step": [0, 10, 20], "validation": [6.2, 6.1, 17.0]},  # one check was better
        {"step": [0, 10, 10, 20], "validation": [8.0, 4.0, 60.0, 50.0], "stage": [1.0, 1.0, 2.0, 2.0]},
        {"step": [0], "validation": [6.2]},
        {"step": [0, 10], "validation": [6.2, None]},
        {"validation": []},
        [6.2, 17.0],
    ],
)
def test_other_curves_need_no_advice(curve: Any) -> None:
    assert lines({"curve": curve}) == []


def test_an_overfit_ratio_says_what_it_means_and_what_to_do() -> None:
    (line,) = lines({"overfit_ratio": 2.9})
    assert f"overfit ratio 2.9, over {OVERFIT_LIMIT}" in line
    assert "more sounds help most" in line
    assert "model.dims=16" in line


@pytest.mark.parametrize(("count", "words"), [(1, "1 test sound:"), (3, "3 test sounds:")])
def test_a_card_of_few_test_sounds_says_so(count: int, words: str) -> None:
    (line,) = lines(reconstruction={"sounds": count})
    assert f"the card rests on {words}" in line


@pytest.mark.parametrize("card", [{}, {"training": 3, "reconstruction": []}, {"training": {"stopped_early": True, "seconds": "x"}}])
def test_a_card_of_another_version_does_no_harm(card: dict[str, Any]) -> None:
    assert len(advice_lines(card)) <= 1
