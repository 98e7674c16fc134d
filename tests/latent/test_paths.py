"""Paths through points: closed forms of lines, arcs, splines and curves."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from timbrespace.contracts import ShapeError
from timbrespace.latent.paths import arc, between, curve, line, segment, slerp, spline

KNOTS = [torch.tensor(values) for values in ([0.0, 1.0, -2.0], [3.0, 0.5, 1.0], [3.1, 0.4, 1.2], [-1.0, 2.0, 0.0], [0.0, 0.0, 5.0])]


@pytest.mark.parametrize("way", [between, arc, spline])
def test_every_way_passes_its_points_exactly(way: object) -> None:
    for number, knot in enumerate(KNOTS):
        assert torch.equal(way(KNOTS, float(number)), knot)  # type: ignore[operator]
    for number in range(len(KNOTS)):  # and is continuous there
        for beside in (number - 1e-6, number + 1e-6):
            assert torch.allclose(way(KNOTS, beside), KNOTS[number], atol=1e-4)  # type: ignore[operator]


def test_a_line_agrees_with_the_steps_of_a_line() -> None:
    steps = line(torch.stack(KNOTS), 9)
    for number in range(9):
        assert torch.allclose(between(KNOTS, number / 2), steps[number], atol=1e-6)
    assert torch.allclose(between(KNOTS, -0.5), 1.5 * KNOTS[0] - 0.5 * KNOTS[1])
    assert torch.allclose(between(KNOTS, 4.5), 1.5 * KNOTS[4] - 0.5 * KNOTS[3])


def test_slerp_turns_by_equal_angles_and_keeps_the_length_of_equal_vectors() -> None:
    a, b = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([1.0, math.sqrt(3.0), 0.0])  # 60 degrees apart, both of length 2
    points = [slerp(a, b, k / 6) for k in range(7)]
    angles = [float(torch.rad2deg(torch.arccos((one @ two) / 4))) for one, two in pairwise(points)]
    assert angles == pytest.approx([10.0] * 6, abs=0.01)
    assert [float(point.norm()) for point in points] == pytest.approx([2.0] * 7, abs=1e-5)
    longer = slerp(a, 3 * b, 0.5)
    assert float(longer.norm()) == pytest.approx(4.0, abs=1e-5)  # lengths change evenly: half-way between 2 and 6
    assert torch.allclose(longer / longer.norm(), points[3] / 2, atol=1e-6)


@pytest.mark.parametrize("other", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_where_no_arc_is_defined_the_way_is_straight(other: list[float]) -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor(other)
    assert torch.allclose(slerp(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_of_a_path_each_step_turns_by_itself() -> None:
    a, b = torch.randn(3, 5), torch.randn(3, 5)
    whole = slerp(a, b, 0.3)
    for step in range(5):
        assert torch.allclose(whole[:, step], slerp(a[:, step], b[:, step], 0.3), atol=1e-6)


def test_a_spline_through_even_points_of_a_line_is_that_line() -> None:
    points = [torch.tensor([1.0, 2.0]) + k * torch.tensor([0.5, -1.0]) for k in range(4)]
    for place in (-0.5, 0.3, 1.7, 2.9, 3.5):
        assert torch.allclose(spline(points, place), points[0] + place * torch.tensor([0.5, -1.0]), atol=1e-5)
    assert torch.allclose(spline(points[:2], 0.25), between(points[:2], 0.25), atol=1e-6)


def test_a_spline_is_smooth_where_the_line_bends() -> None:
    def bend(way: object) -> float:
        h = 1e-3
        before, middle, after = (way(square, 1 + k * h) for k in (-1, 0, 1))  # type: ignore[operator]
        one, two = middle - before, after - middle
        return float(torch.arccos(((one @ two) / (one.norm() * two.norm())).clamp(-1, 1)))

    square = [torch.tensor(p, dtype=torch.float64) for p in ([0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0])]
    assert bend(between) == pytest.approx(math.pi / 2, abs=1e-6)
    assert bend(spline) < 0.01


def test_ways_move_with_their_points() -> None:
    """Affine maps of the points map the line; rotations map arc and spline."""
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    for place in (0.4, 1.5, 3.2):
        for way in (between, spline):
            assert torch.allclose(way([turn @ p + 1 for p in KNOTS], place), turn @ way(KNOTS, place) + 1, atol=1e-4)
        assert torch.allclose(arc([turn @ p for p in KNOTS], place), turn @ arc(KNOTS, place), atol=1e-4)
        assert torch.allclose(spline(KNOTS[::-1], 4 - place), spline(KNOTS, place), atol=1e-5)  # the same way back


def test_a_curve_is_straight_between_its_values() -> None:
    values = [0.0, 1.3, -0.3, 1.0]
    assert [curve(values, k / 3) for k in range(4)] == pytest.approx(values)
    assert curve(values, 0.5) == pytest.approx(0.5)
    assert curve(values, 0.25) == pytest.approx(0.975)


def test_a_way_needs_two_points() -> None:
    with pytest.raises(ShapeError, match="two points or more"):
        segment(1, 0.0)
