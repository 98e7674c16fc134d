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

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from timbrespace.features.compute import Features
    from timbrespace.representation.axes import Axes, View

PIXELS_PER_SECOND = 400.0
MAX_WIDTH = 12_000  # pixels, of the panels
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 76, 96, 54, 46, 34  # pixels around and between panels
_HEIGHT, _NARROWEST, _LINE_WIDTH, _DPI = 300, 160, 640, 100
_RANGE_DB, _SIGNED_RANGE_DB = 80.0, 60.0  # of magnitudes under the largest value; of signed values, below which the scale is linear
_BAR = 12
_EMPTY = "0.85"
_HZ = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axes, parts = features.axes, features.array.shape[0]
    if features.header["normalisation"] is not None:  # dimensionless: coloured from the smallest to the largest value
        axes = replace(axes, parts=tuple(view._replace(kind="level") for view in axes.parts))
    seconds = features.length / features.sample_rate
    single = axes.frames == 1 and len(axes.centres) > 1
    inner = _LINE_WIDTH if single else max(_NARROWEST, round(seconds * pixels_per_second))
    width = _LEFT + inner + _RIGHT
    height = _TOP + parts * _HEIGHT + (parts - 1) * (_GAP + _BOTTOM) + _BOTTOM
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(_LEFT / width, 1 - 16 / height, _shortened(title, inner + _RIGHT), fontsize=9, va="center", parse_math=False)
    for k, view in enumerate(axes.parts):
        bottom = height - _TOP - _HEIGHT - k * (_HEIGHT + _GAP + _BOTTOM)
        panel = figure.add_axes((_LEFT / width, bottom / height, inner / width, _HEIGHT / height), facecolor=_EMPTY)
        heading = f"{view.name}: {view.meaning}" if view.meaning else view.name
        panel.set_title(_shortened(heading, inner + _RIGHT, size=8), fontsize=8, loc="left", pad=8, parse_math=False)
        panel.tick_params(labelsize=8)
        if single:
            _draw_line(panel, features.array[k, :, 0], axes, view, limits)
            continue
        if axes.shape[1] == 1 and view.kind == "signed":
            _draw_wave(panel, features.array[k, 0], axes, columns=inner)
        else:
            beside = figure.add_axes(((_LEFT + inner + 10) / width, bottom / height, _BAR / width, _HEIGHT / height))
            _draw_cells(panel, beside, features.array[k], axes, view, limits, columns=inner)
        _time_axis(panel, max(seconds, inner / pixels_per_second), inner)
    return figure


def _draw_cells(
    panel: Panel,
    beside: Panel,
    values: NDArray[np.float32],
    axes: Axes,
    view: View,
    limits: tuple[float, float] | None,
    *,
    columns: int,
) -> None:
    """Draws an image of `(bands, frames)`, low bands at the bottom, every frame centred on its time. beside: panel of the colour bar."""
    left, rows, wide = axes.first_s - axes.step_s / 2, 1, 1  # values per pixel
    shown = values
    if view.kind != "cyclic":  # a maximum of phases has no meaning
        rows, wide = -(-values.shape[0] // _HEIGHT), -(-values.shape[1] // columns)
        shown = _reduce_to_peaks(values, rows, wide, signed=view.kind == "signed")
    colours = "twilight" if view.kind == "cyclic" else "RdBu_r" if view.kind == "signed" else "magma"
    image = panel.imshow(
        shown,
        origin="lower",
        aspect="auto",
        extent=(left, left + axes.step_s * shown.shape[1] * wide, 0, shown.shape[0] * rows),
        cmap=colours,
        norm=_norm(values, view, limits),
        interpolation="nearest",
    )
    image.get_cmap().set_bad(image.get_cmap()(0.0))  # a magnitude of 0 has the darkest colour
    _band_axis(panel, axes)
    bar = panel.figure.colorbar(image, cax=beside)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(_unit_label(view), fontsize=8)


def _reduce_to_peaks(values: NDArray[np.float32], rows: int, columns: int, *, signed: bool) -> NDArray[np.float32]:
    """Returns the largest value of every rows × columns block, or the one farthest from 0, so that thin lines remain visible."""
    for axis, size in ((0, rows), (1, columns)):
        if size > 1:
            edges = [(0, -values.shape[k] % size if k == axis else 0) for k in (0, 1)]
            grouped = np.pad(values, edges, mode="edge").reshape(*values.shape[:axis], -1, size, *values.shape[axis + 1 :])
            most = grouped.max(axis + 1)
            values = np.where(-grouped.min(axis + 1) > most, grouped.min(axis + 1), most) if signed else most
    return values


def _draw_line(panel: Panel, values: NDArray[np.float32], axes: Axes, view: View, limits: tuple[float, float] | None) -> None:
    """Draws a single spectrum `(bands,)` as a line over frequency."""
    panel.set_facecolor("white")
    panel.plot(axes.centres, values, linewidth=0.8, color="#5b2a86")
    panel.set_xlim(float(axes.lower.min()), float(axes.upper.max()))
    if axes.spacing != "linear":
        panel.set_xscale("symlog", linthresh=max(float(np.diff(axes.centres).max(initial=1.0)), 1.0))
    norm = _norm(values, view, limits)
    if view.kind == "magnitude" and values.max() > 0:
        panel.set_yscale("log")
    if limits is not None or view.kind in ("magnitude", "cyclic"):
        panel.set_ylim(norm.vmin, norm.vmax)
    panel.grid(color="0.9", linewidth=0.5)
    panel.set_xlabel("frequency (Hz)" if axes.band_unit == "Hz" else "time (s)" if axes.band_unit == "s" else "band", fontsize=8)
    panel.set_ylabel(_unit_label(view), fontsize=8)


def _draw_wave(panel: Panel, values: NDArray[np.float32], axes: Axes, *, columns: int) -> None:
    """Draws samples `(frames,)`: minimum to maximum of every pixel column, or a line if there are few."""
    panel.set_facecolor("white")
    times = axes.times
    if len(values) > 3 * columns:
        size = -(-len(values) // columns)
        padded = np.pad(values, (0, -len(values) % size), mode="edge").reshape(-1, size)
        panel.fill_between(times[::size], padded.min(1), padded.max(1), linewidth=0.6, color="#5b2a86")
    else:
        panel.plot(times, values, linewidth=0.8, color="#5b2a86")
    peak = max(1.0, float(np.abs(values).max(initial=0)))
    panel.set_ylim(-peak, peak)
    panel.grid(color="0.9", linewidth=0.5)
    panel.set_ylabel("sample (full scale 1)", fontsize=8)


def _norm(values: NDArray[np.float32], view: View, limits: tuple[float, float] | None) -> Normalize:
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm

    low, high = (float(values.min()), float(values.max())) if limits is None or view.kind in ("signed", "cyclic") else limits
    if view.kind == "cyclic":
        return Normalize(-view.turn / 2, view.turn / 2)
    if view.kind == "signed":
        peak = max(abs(low), abs(high)) or 1.0
        return SymLogNorm(peak * 10 ** (-_SIGNED_RANGE_DB / 20), vmin=-peak, vmax=peak, base=10)
    if view.kind == "magnitude":
        high = high if high > 0 else 1.0
        return LogNorm(low if limits is not None and low > 0 else high * 10 ** (-_RANGE_DB / 20), high)
    return Normalize(low, high if high > low else low + 1)


def _band_axis(panel: Panel, axes: Axes) -> None:
    """Sets ticks at round frequencies, at their position among the bands."""
    from matplotlib.ticker import MaxNLocator

    count = len(axes.centres)
    panel.set_ylim(0, count)
    low, high = float(axes.centres[0]), float(axes.centres[-1])
    if axes.spacing == "linear" or axes.band_unit != "Hz":
        ticks = [tick for tick in MaxNLocator(7).tick_values(low, high) if low <= tick <= high] if count > 1 else [low]
    else:
        ticks = [tick for tick in _HZ if axes.lower[0] <= tick <= axes.upper[-1]]
    positions = np.interp(ticks, axes.centres, np.arange(count) + 0.5)
    kept: list[tuple[float, float]] = []
    for position, tick in zip(positions.tolist(), ticks, strict=True):
        if not kept or (position - kept[-1][0]) / count * _HEIGHT > 14:
            kept.append((position, float(tick)))
    scale, label = {"Hz": (1.0, "frequency (Hz)"), "s": (1e3, "offset in the block (ms)"), "": (1.0, "band")}[axes.band_unit]
    panel.set_yticks([position for position, _ in kept], [_number(tick * scale) for _, tick in kept])
    panel.set_ylabel(label, fontsize=8)


def _time_axis(panel: Panel, seconds: float, pixels: int) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set_xlim(0, seconds)
    panel.xaxis.set_major_locator(MaxNLocator(max(2, pixels // 80), steps=[1, 2, 2.5, 5, 10]))
    panel.set_xlabel("time (s)", fontsize=8)


def _unit_label(view: View) -> str:
    name = view.name.rpartition(" ")[2] if view.unit != "half turns a hop" else ""
    return f"{name} ({view.unit})" if view.unit and name else view.unit or name


def _number(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:.4g}"


def _shortened(text: str, pixels: int, *, size: int = 9) -> str:
    length = max(8, int(pixels / (size * 0.78)))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _printable(title: str) -> str:
    """Returns a title without line breaks, control characters and lone surrogates."""
    text = title.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
