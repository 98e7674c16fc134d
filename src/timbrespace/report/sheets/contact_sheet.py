"""A contact sheet: the spectrograms of many sounds in one picture, laid out as a mesh is, with the same scale of time and level."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from timbrespace.atomic import replacing
from timbrespace.contracts import ShapeError
from timbrespace.report.spectrogram import FLOOR_DB, TOP_DB, spectrogram_levels, spectrogram_palette
from timbrespace.synthesis.sound import Sound

_WIDTH, _HEIGHT, _GAP, _TEXT = 150, 84, 8, 16  # pixels of a picture, between pictures, and of a line of text
_MARGIN, _TITLE = 10, 26
_MOST_COLUMNS, _LONGEST = 10, 30  # pictures side by side where there is no mesh; letters of a label
_DPI = 100
_MOST_PIXELS = 40_000_000
_drawing = threading.Lock()  # matplotlib draws one figure at a time


def draw_sheet(
    sounds: Sequence[Sound], path: Path, *, labels: Sequence[str], grid: tuple[int, int] | None = None, title: str = "", force: bool = False
) -> None:
    """Draws a contact sheet as a PNG.

    labels: under each picture. grid: rows and columns of a mesh, row by row; None: rows of up to ten. All pictures show the same time, that
    of the longest sound, and frequencies as `draw_spectrogram` does. Raises ShapeError, OutputExistsError.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    if not sounds or len(labels) != len(sounds):
        raise ShapeError(f"a contact sheet needs sounds and as many labels, not {len(sounds)} and {len(labels)}")
    columns = min(len(sounds), _MOST_COLUMNS) if grid is None else grid[1]
    rows = math.ceil(len(sounds) / columns)
    shrink = min(1.0, math.sqrt(_MOST_PIXELS / (rows * columns * _WIDTH * _HEIGHT)))
    wide, high = max(24, round(_WIDTH * shrink)), max(16, round(_HEIGHT * shrink))
    seconds = max(sound.seconds for sound in sounds)
    width = columns * (wide + _GAP) - _GAP + 2 * _MARGIN
    height = rows * (high + _GAP + _TEXT) + _TITLE + _MARGIN
    cells = np.full((height, width, 3), 255, np.uint8)
    colours = np.frombuffer(spectrogram_palette(), np.uint8).reshape(256, 3)
    with _drawing:
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for number, (sound, label) in enumerate(zip(sounds, labels, strict=True)):
            left = _MARGIN + number % columns * (wide + _GAP)
            top = _TITLE + number // columns * (high + _GAP + _TEXT)
            levels = spectrogram_levels(sound.samples, sound.sample_rate, seconds=seconds, width=wide, height=high)
            shade = (np.clip((levels - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1) * 255 + 0.5).astype(np.uint8)
            cells[top : top + high, left : left + wide] = colours[shade]
            short = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
            axes.text(left, top + high + 2, short, fontsize=7, va="top", parse_math=False)
        axes.imshow(cells, extent=(0, width, height, 0), interpolation="nearest", cmap=ListedColormap(colours / 255))
        text = f"{title}   {seconds:.2f} s from left to right" if title else f"{seconds:.2f} s from left to right"
        axes.text(_MARGIN, 6, text, fontsize=9, va="top", parse_math=False)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        with replacing(path, force=force) as temporary:
            figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})
