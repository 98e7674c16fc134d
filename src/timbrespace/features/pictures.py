"""True-scale pictures of features: one panel per part, axes in Hz and s, a colour bar in the unit of the values.

All pictures have the same number of pixels per second, so that two can be compared side by side. The frequency axis follows the
representation: linear in Hz for bins, and the same height for every band otherwise.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timbrespace.atomic import replacing
from timbrespace.contracts import ConfigError
from timbrespace.features.picture_panels import PANEL_HEIGHT, draw_cells, draw_line, draw_wave, time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from timbrespace.features.compute import Features

PIXELS_PER_SECOND = 400.0
MAX_WIDTH = 12_000  # pixels, of the panels
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 76, 96, 54, 46, 34  # pixels around and between panels
_MIN_WIDTH, _LINE_WIDTH, _DPI = 160, 640, 100
_BAR = 12
_EMPTY = "0.85"
_drawing = threading.Lock()  # matplotlib draws one figure at a time


def scale_for(longest_seconds: float, *, requested: float | None = None) -> float:
    """Returns pixels per second: `requested`, or the default, reduced so that `longest_seconds` fits. Raises ConfigError."""
    if requested is None:
        return min(PIXELS_PER_SECOND, MAX_WIDTH / max(longest_seconds, 1e-9))
    if not 1 <= requested <= 100_000:
        raise ConfigError(
            f"--pixels-per-second is {requested:g}, allowed are numbers from 1 to 100000; the default is {PIXELS_PER_SECOND:g}"
        )
    if requested * longest_seconds > 2 * MAX_WIDTH:
        raise ConfigError(
            f"--pixels-per-second is {requested:g}: {longest_seconds:.0f} s would be wider than {2 * MAX_WIDTH} pixels; "
            f"use at most {2 * MAX_WIDTH / longest_seconds:.0f}"
        )
    return requested


def draw_features(
    features: Features,
    path: Path | str,
    *,
    title: str = "",
    pixels_per_second: float = PIXELS_PER_SECOND,
    limits: tuple[float, float] | None = None,
    force: bool = False,
) -> None:
    """Draws the features of one sound as a PNG.

    limits: lowest and highest value of the colours of levels and magnitudes; default: those of this picture.
    Raises OutputExistsError, ConfigError.
    """
    if limits is not None and not (np.isfinite(limits).all() and limits[0] < limits[1]):
        raise ConfigError(f"--range is {limits[0]:g} {limits[1]:g}, it must be two numbers, the lower first; for instance --range -40 40")
    with _drawing, warnings.catch_warnings(), replacing(path, force=force) as temporary:
        warnings.simplefilter("ignore")  # characters that the font does not have
        figure = _figure(features, _printable(title), pixels_per_second, limits)
        figure.savefig(temporary, format="png", dpi=_DPI)


def _figure(features: Features, title: str, pixels_per_second: float, limits: tuple[float, float] | None) -> Figure:
    """Returns a figure with one panel per part."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axes, parts = features.axes, features.array.shape[0]
    if features.header["normalisation"] is not None:  # dimensionless: coloured from the smallest to the largest value
        axes = replace(axes, parts=tuple(part._replace(kind="level") for part in axes.parts))
    seconds = features.length / features.sample_rate
    single = axes.frames == 1 and len(axes.centres) > 1
    inner = _LINE_WIDTH if single else max(_MIN_WIDTH, round(seconds * pixels_per_second))
    width = _LEFT + inner + _RIGHT
    height = _TOP + parts * PANEL_HEIGHT + (parts - 1) * (_GAP + _BOTTOM) + _BOTTOM
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(_LEFT / width, 1 - 16 / height, _shortened(title, inner + _RIGHT), fontsize=9, va="center", parse_math=False)
    for k, part in enumerate(axes.parts):
        bottom = height - _TOP - PANEL_HEIGHT - k * (PANEL_HEIGHT + _GAP + _BOTTOM)
        panel = figure.add_axes((_LEFT / width, bottom / height, inner / width, PANEL_HEIGHT / height), facecolor=_EMPTY)
        heading = f"{part.name}: {part.meaning}" if part.meaning else part.name
        panel.set_title(_shortened(heading, inner + _RIGHT, size=8), fontsize=8, loc="left", pad=8, parse_math=False)
        panel.tick_params(labelsize=8)
        if single:
            draw_line(panel, features.array[k, :, 0], axes, part, limits)
            continue
        if axes.shape[1] == 1 and part.kind == "signed":
            draw_wave(panel, features.array[k, 0], axes, columns=inner)
        else:
            colour_bar = figure.add_axes(((_LEFT + inner + 10) / width, bottom / height, _BAR / width, PANEL_HEIGHT / height))
            draw_cells(panel, colour_bar, features.array[k], axes, part, limits, columns=inner)
        time_axis(panel, max(seconds, inner / pixels_per_second), inner)
    return figure


def _shortened(text: str, pixels: int, *, size: int = 9) -> str:
    length = max(8, int(pixels / (size * 0.78)))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _printable(title: str) -> str:
    """Returns a title without line breaks, control characters and lone surrogates."""
    text = title.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
