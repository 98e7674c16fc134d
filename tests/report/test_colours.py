"""The colours of categories can be told apart, by everybody, on the page's panels in both themes."""

from __future__ import annotations

import itertools
import re
from importlib import resources

import numpy as np
import pytest

from timbrespace.report.templates import COLOURS, GREY

CSS = (resources.files("timbrespace.report") / "static" / "page.css").read_text(encoding="utf-8")
# Machado, Oliveira, Fernandes 2009, severity 1: linear sRGB as seen without one kind of cone.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]]
)
LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]]
)
LEAST = {"normal": 0.11, "protanopia": 0.08, "deuteranopia": 0.08, "tritanopia": 0.08}  # distance in OKLab; 0.02 is just noticeable


def themes() -> dict[str, dict[str, str]]:
    """Theme -> name of a CSS variable -> its colour; the dark theme is written twice in the style."""
    blocks = re.findall(r":root[^{]*\{([^}]*--c0[^}]*)\}", CSS)
    light, by_system, by_choice = (dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in blocks)
    assert by_system == by_choice
    return {"light": light, "dark": by_choice}


def linear(colour: str) -> np.ndarray:
    """Linear sRGB, 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    value = np.array([int(digits[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(colour: str, sight: str) -> np.ndarray:
    """The colour as it is seen, in OKLab."""
    return LAB @ np.cbrt(LMS @ np.clip(SIGHT[sight] @ linear(colour), 0, 1))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_style_has_all_colours() -> None:
    for theme in themes().values():
        assert [name for name in theme if re.fullmatch(r"c\d+", name)] == [f"c{number}" for number in range(COLOURS + 1)]
    assert all(f".c{number} {{ --c: var(--c{number}) }}" in CSS for number in range(COLOURS + 1))
    assert GREY == COLOURS == 12


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_categories_can_be_told_apart(theme: str, sight: str) -> None:
    colours = [themes()[theme][f"c{number}"] for number in range(COLOURS + 1)]
    for one, other in itertools.combinations(colours, 2):
        distance = float(np.linalg.norm(oklab(one, sight) - oklab(other, sight)))
        assert distance >= LEAST[sight], f"{one} and {other} are {distance:.3f} apart"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_categories_stand_out_from_the_panel(theme: str) -> None:
    colours = themes()[theme]
    for panel in ("page", "panel"):
        assert all(contrast(colours[f"c{number}"], colours[panel]) >= 2.9 for number in range(COLOURS + 1))
    for name in ("ink", "soft", "good", "fair", "accent"):
        assert contrast(colours[name], colours["panel"]) >= 4.5, name


def test_distances_are_those_of_the_reference() -> None:
    assert oklab("#ffffff", "normal") == pytest.approx([1, 0, 0], abs=1e-4)
    assert oklab("#ff0000", "normal") == pytest.approx([0.6280, 0.2249, 0.1258], abs=1e-3)  # Ottosson 2020
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
