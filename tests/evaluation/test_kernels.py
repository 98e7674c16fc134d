"""Kernel measures against the closed forms of Gaussians and of sets whose number of different points is known."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace.contracts import ShapeError
from timbrespace.evaluation.kernels import effective_number, mmd


def closed_form(shift: float, *, dims: int, scale: float) -> float:
    """The squared discrepancy of two unit Gaussians at a distance, for the kernel exp(-d² / (2 scale²))."""
    wide = scale**2 + 2
    return float(2 * (scale**2 / wide) ** (dims / 2) * (1 - np.exp(-(shift**2) / (2 * wide))))


def test_discrepancy_of_shifted_gaussians_is_the_closed_form(rng: np.random.Generator) -> None:
    for shift in (0.5, 1.0, 2.0):
        draws = [(rng.standard_normal((300, 2)), rng.standard_normal((250, 2)) + [shift, 0]) for _ in range(40)]
        values = [mmd(x, y, scale=1.5, permutations=0).value for x, y in draws]
        error = float(np.std(values)) / 40**0.5
        assert np.mean(values) == pytest.approx(closed_form(shift, dims=2, scale=1.5), abs=3 * error)
        assert error < 0.15 * closed_form(shift, dims=2, scale=1.5)
    assert mmd(*draws[0], permutations=50).p == pytest.approx(1 / 51)


def test_discrepancy_of_equal_gaussians_is_about_zero(rng: np.random.Generator) -> None:
    found = [mmd(rng.standard_normal((60, 3)), rng.standard_normal((50, 3)), permutations=100, seed=k) for k in range(12)]
    values = [one.value for one in found]
    ps = [one.p for one in found]
    assert abs(np.mean(values)) < 0.01  # unbiased
    assert min(values) < 0 < max(values)
    assert 0.2 < np.mean(ps) < 0.8


def test_effective_number_counts_separate_points() -> None:
    corners = 100.0 * np.eye(6)
    assert effective_number(corners, scale=1.0) == pytest.approx(6)
    assert effective_number(np.repeat(corners, 5, axis=0), scale=1.0) == pytest.approx(6)
    assert effective_number(np.ones((9, 4)), scale=1.0) == pytest.approx(1)
    assert 1 < effective_number(np.array([[0.0], [1.0]]), scale=1.0) < 2


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="2 points"):
        mmd(np.zeros((1, 2)), np.zeros((5, 2)))
    with pytest.raises(ShapeError, match="dims"):
        mmd(np.zeros((3, 2)), np.zeros((5, 3)))
