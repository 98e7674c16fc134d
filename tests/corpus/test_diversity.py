"""The most diverse subset: both rules against plain loops, order, ties, scale, bad input."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.diversity import most_diverse

Rule = Literal["mean", "nearest"]
RULES: tuple[Rule, ...] = ("mean", "nearest")


def plain(points: np.ndarray, count: int, rule: Rule) -> list[int]:
    """The definition, word for word."""
    middle = points.mean(0)
    picked = [min(range(len(points)), key=lambda i: (float(np.linalg.norm(points[i] - middle)), i))]
    while len(picked) < count:
        rest = [i for i in range(len(points)) if i not in picked]
        if rule == "mean":
            far = {i: float(np.linalg.norm(points[i] - points[picked].mean(0))) for i in rest}
        else:
            far = {i: min(float(np.linalg.norm(points[i] - points[p])) for p in picked) for i in rest}
        picked.append(max(rest, key=lambda i: (far[i], -i)))
    return picked


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("n", "d", "seed"), [(1, 1, 0), (2, 3, 1), (17, 1, 2), (40, 5, 3), (60, 68, 4)])
def test_as_the_definition_says(rule: Rule, n: int, d: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, d)) + 100
    picked = most_diverse(points, n, rule=rule)
    assert picked.dtype == np.int64
    assert picked.tolist() == plain(points, n, rule)
    assert most_diverse(points, (n + 1) // 2, rule=rule).tolist() == picked[: (n + 1) // 2].tolist()


def test_by_hand() -> None:
    points = np.array([[0.0], [1], [2], [3], [10]])  # mean 3.2
    assert most_diverse(points, 4, rule="mean").tolist() == [3, 4, 0, 1]  # from 3; then 6.5: 0; then 13/3: 1
    assert most_diverse(points, 4, rule="nearest").tolist() == [3, 4, 0, 1]
    clumps = np.array([[0.0], [9.8], [9.9], [10], [-6], [5]])
    assert most_diverse(clumps, 4, rule="mean").tolist() == [5, 4, 3, 2], "far from the mean, though beside its neighbour"
    assert most_diverse(clumps, 4, rule="nearest").tolist() == [5, 4, 0, 3], "far from every neighbour"


@pytest.mark.parametrize("rule", RULES)
def test_ties_go_to_the_lower_index(rule: Rule) -> None:
    assert most_diverse(np.zeros((5, 3)), 5, rule=rule).tolist() == [0, 1, 2, 3, 4]
    square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])
    assert most_diverse(square, 3, rule=rule).tolist() == ([4, 0, 3] if rule == "mean" else [4, 0, 1])
    doubled = np.repeat(np.random.default_rng(0).normal(size=(8, 4)), 3, axis=0)
    assert sorted(most_diverse(doubled, 24, rule=rule).tolist()) == list(range(24)), "every point once"


@pytest.mark.parametrize("rule", RULES)
def test_offset_and_scale_change_nothing(rule: Rule) -> None:
    points = np.round(np.random.default_rng(5).normal(size=(30, 4)) * 64)
    wanted = most_diverse(points, 30, rule=rule).tolist()
    for changed in (points * 2.0**600, points * 2.0**-600, points + 2**20, (points * 2).astype(int).tolist()):
        assert most_diverse(changed, 30, rule=rule).tolist() == wanted


def test_nearest_covers_what_mean_leaves_out(rng: np.random.Generator) -> None:
    points = rng.normal(size=(300, 2))
    worst = {rule: np.linalg.norm(points[:, None] - points[most_diverse(points, 30, rule=rule)], axis=2).min(1).max() for rule in RULES}
    assert worst["nearest"] < 0.6 * worst["mean"]


@pytest.mark.parametrize("count", [0, -1, 4, 1.0, True, "2", None])
def test_counts_out_of_range(count: object) -> None:
    with pytest.raises(ConfigError, match=r"count is .* from 1 to 3"):
        most_diverse(np.zeros((3, 2)), count)  # type: ignore[arg-type]


def test_other_bad_input() -> None:
    with pytest.raises(ConfigError, match="allowed are mean, nearest"):
        most_diverse(np.zeros((3, 2)), 1, rule="far")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 1 to 0"):
        most_diverse(np.zeros((0, 2)), 1)
    for shape in ((3,), (3, 0), (3, 2, 1), ()):
        with pytest.raises(ShapeError, match="shape"):
            most_diverse(np.zeros(shape), 1)
    with pytest.raises(ShapeError, match="point 1 are not finite"):
        most_diverse([[0.0, 0], [np.nan, 1], [1, 1]], 1)
    with pytest.raises(ShapeError, match="array of numbers"):
        most_diverse([["a", "b"]], 1)
