"""What is asked of controls, read from numbers and text."""

import math

import pytest

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.space.controls.wishes import describe_controls, read_wishes
from timbrespace.synthesis.controls import Control


def control(name: str, low: float, high: float, lowest: float, highest: float, spread: float) -> Control:
    descriptor = DESCRIPTORS[name]
    return Control(name, low, high, 0.0, descriptor.unit, "", descriptor, lowest, highest, spread)


CONTROLS = [
    control("brightness", -1.5, 1.0, 100, 12_800, 2.0),
    control("decay", -1.0, 1.5, 0.05, 3.2, 1.5),
    control("noisiness", -2, 2, 1e-4, 0.6, 4.0),
    control("pitch", -2, 2, 110, 880, 0.7),
    control("low_end", -2, 2, -50, -1, 13),
]


@pytest.mark.parametrize(
    ("name", "value", "place", "spreads"),
    [
        ("brightness", 1, 10.0, 1.0),
        ("brightness", "+0.5", 10.0, 0.5),
        ("brightness", "-.5", 10.0, -0.5),
        ("brighter", 0.5, 10.0, 0.5),
        ("darker", "0.5", 10.0, -0.5),
        ("brightness", "2048Hz", 10.0, 0.5),
        ("brightness", "2.048 kHz", 10.0, 0.5),
        ("brightness", "x4", 10.0, 1.0),
        ("brightness", "0.5x", 10.0, -0.5),
        ("decay", "400ms", math.log2(0.2), 1 / 1.5),
        ("decay", "0.4s", math.log2(0.4), 0.0),
        ("noisiness", "50%", -5.0, 1.0),
        ("pitch", "A4", math.log2(220), 1 / 0.7),
        ("pitch", "c4", math.log2(261.6256), 0.0),
        ("pitch", "Bb3", math.log2(233.0819), 0.0),
        ("pitch", "+12 st", math.log2(300), 1 / 0.7),
        ("low end", "-12dB", -25.0, 1.0),
        ("low-end", -1, -25.0, -1.0),
    ],
)
def test_amounts_factors_and_targets(name: str, value: str | float, place: float, spreads: float) -> None:
    (wish,) = read_wishes({name: value}, CONTROLS)
    assert wish.spreads(place) == pytest.approx(spreads, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("warmth", 1, "there is no control 'warmth'; it has brightness"),
        ("metallic", 1, "no control inharmonicity"),
        ("brightness", 3.5, r"3 spreads either way .* -1.5 to \+1, or values from 100Hz to 12800Hz"),
        ("brightness", "x512", "3 spreads either way"),
        ("brightness", "30kHz", "100Hz to 12800Hz"),
        ("brightness", "-5Hz", "100Hz to 12800Hz"),
        ("brightness", "0.4s", "brightness is '0.4s'; allowed is an amount"),
        ("brightness", "1,5", "with a point"),
        ("brightness", "bright", "allowed is an amount"),
        ("brightness", "", "allowed is an amount"),
        ("brightness", float("nan"), "3 spreads either way"),
        ("brightness", True, "allowed is an amount"),
        ("low_end", "x2", "a factor over 0 is for values in Hz and s"),
        ("pitch", "H4", "a note such as C4"),
        ("darker", "2kHz", "takes an amount in spreads"),
    ],
)
def test_what_cannot_be_is_refused_in_words(name: str, value: str | float, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_wishes({name: value}, CONTROLS)


def test_wishes_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"brightness is asked for twice, \+0.5 and darker 0.5"):
        read_wishes({"brighter": 0.5, "darker": 0.5}, CONTROLS)


def test_the_text_of_a_wish_is_the_wish() -> None:
    for name, value in (("brightness", "+0.7"), ("decay", "0.4s"), ("decay", "x0.5"), ("noisiness", "50%"), ("low_end", "-12dB")):
        (wish,) = read_wishes({name: value}, CONTROLS)
        (again,) = read_wishes({name: wish.text}, CONTROLS)
        assert again.spreads(-5.0) == pytest.approx(wish.spreads(-5.0), rel=1e-4)


def test_controls_are_listed_with_words_and_ranges() -> None:
    assert describe_controls(CONTROLS[:1]) == "brightness (brighter, darker; -1.5 to +1)"
    assert describe_controls([]) == "none"
