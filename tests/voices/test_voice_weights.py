"""Weights of instruments: read, scaled, moving over time, refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError
from timbrespace.voices.frames import HOP, RATE
from timbrespace.voices.weights import Curve, checked, read_curve, read_weights

NAMES = ("violin", "flute", "oboe")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("flute", {"flute": 1.0}),
        ("violin=1,flute=3", {"violin": 0.25, "flute": 0.75}),
        (" violin = 1.5 , flute=-0.5", {"violin": 1.5, "flute": -0.5}),
    ],
)
def test_weights_are_read_and_scaled(text: str, wanted: dict[str, float]) -> None:
    assert read_weights(text, NAMES) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "sum 0"), ("violin=0", "sum 0"), ("violin=-1", "sum -1"), ("harp=1", "no voice 'harp'"), ("violin=x", "give a number"),
        ("violin=nan", "give a number"),
        ("violin=inf", "give a number"), ("violin=1,violin=2", "given twice"), ("violin=1,flute=-0.9", "allowed is"),
        ("violin=1e9", "give a number"),
    ],
)  # fmt: skip
def test_weights_that_mean_nothing_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_weights(text, NAMES)


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0.01, 50), min_size=1))
def test_weights_have_the_sum_one(weights: dict[str, float]) -> None:
    scaled = checked(weights, NAMES)
    assert sum(scaled.values()) == pytest.approx(1)
    assert read_weights(",".join(f"{name}={weight!r}" for name, weight in weights.items()), NAMES) == pytest.approx(scaled)


def test_a_curve_is_linear_between_its_points_and_held_outside() -> None:
    curve = read_curve("1:violin=1; 3:flute=1", NAMES)
    values = curve.values(NAMES, round(5 * RATE / HOP))
    at = [round(time * RATE / HOP) for time in (0, 1, 2, 3, 4)]
    np.testing.assert_allclose(values[at, 1], [0, 0, 0.5, 1, 1], atol=0.005)
    np.testing.assert_allclose(values.sum(1), 1)
    assert read_curve(curve.text(), NAMES) == curve
    assert Curve(((0.0, {"violin": 1.0}),)).text() == "violin=1"


@pytest.mark.parametrize(
    "text", ["", "violin=1", "x:violin=1", "-1:violin=1", "nan:violin=1", "2:violin=1; 1:flute=1", "1:violin=1; 1:flute=1", "0:harp=1"]
)
def test_curves_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_curve(text, NAMES)
