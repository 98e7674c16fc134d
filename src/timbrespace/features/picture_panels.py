"""The panels of a picture: values as an image, a spectrum as a line, samples as a waveform, and their axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Normalize
    from numpy.typing import NDArray

    from timbrespace.representation.axes import Axes, Part

PANEL_HEIGHT = 300  # pixels
_RANGE_DB, _SIGNED_RANGE_DB = 80.0, 60.0  # of magnitudes under the largest value; of signed values, below which the scale is linear
_HZ = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]


def draw_cells(
    panel: Panel,
    colour_bar: Panel,
    values: NDArray[np.float32],
    axes: Axes,
    part: Part,
    limits: tuple[float, float] | None,
    *,
    columns: int,
) -> None:
    """Draws an image of `(bands, frames)`, low bands at the bottom, every frame centred on its time. colour_bar: its panel."""
    left, rows, wide = axes.first_s - axes.step_s / 2, 1, 1  # values per pixel
    shown = values
    if part.kind != "cyclic":  # a maximum of phases has no meaning
        rows, wide = -(-values.shape[0] // PANEL_HEIGHT), -(-values.shape[1] // columns)
        shown = _reduce_to_peaks(values, rows, wide, signed=part.kind == "signed")
    colours = "twilight" if part.kind == "cyclic" else "RdBu_r" if part.kind == "signed" else "magma"
    image = panel.imshow(
        shown,
        origin="lower",
        aspect="auto",
        extent=(left, left + axes.step_s * shown.shape[1] * wide, 0, shown.shape[0] * rows),
        cmap=colours,
        norm=_norm(values, part, limits),
        interpolation="nearest",
    )
    image.get_cmap().set_bad(image.get_cmap()(0.0))  # a magnitude of 0 has the darkest colour
    _band_axis(panel, axes)
    bar = panel.figure.colorbar(image, cax=colour_bar)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(_unit_label(part), fontsize=8)


def _reduce_to_peaks(values: NDArray[np.float32], rows: int, columns: int, *, signed: bool) -> NDArray[np.float32]:
    """Returns the largest value of every rows × columns block, or the one farthest from 0, so that thin lines remain visible."""
    for axis, size in ((0, rows), (1, columns)):
        if size > 1:
            edges = [(0, -values.shape[k] % size if k == axis else 0) for k in (0, 1)]
            grouped = np.pad(values, edges, mode="edge").reshape(*values.shape[:axis], -1, size, *values.shape[axis + 1 :])
            most = grouped.max(axis + 1)
            values = np.where(-grouped.min(axis + 1) > most, grouped.min(axis + 1), most) if signed else most
    return values


def draw_line(panel: Panel, values: NDArray[np.float32], axes: Axes, part: Part, limits: tuple[float, float] | None) -> None:
    """Draws a single spectrum `(bands,)` as a line over frequency."""
    panel.set_facecolor("white")
    panel.plot(axes.centres, values, linewidth=0.8, color="#5b2a86")
    panel.set_xlim(float(axes.lower.min()), float(axes.upper.max()))
    if axes.spacing != "linear":
        panel.set_xscale("symlog", linthresh=max(float(np.diff(axes.centres).max(initial=1.0)), 1.0))
    norm = _norm(values, part, limits)
    if part.kind == "magnitude" and values.max() > 0:
        panel.set_yscale("log")
    if limits is not None or part.kind in ("magnitude", "cyclic"):
        panel.set_ylim(norm.vmin, norm.vmax)
    panel.grid(color="0.9", linewidth=0.5)
    panel.set_xlabel("frequency (Hz)" if axes.band_unit == "Hz" else "time (s)" if axes.band_unit == "s" else "band", fontsize=8)
    panel.set_ylabel(_unit_label(part), fontsize=8)


def draw_wave(panel: Panel, values: NDArray[np.float32], axes: Axes, *, columns: int) -> None:
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


def _norm(values: NDArray[np.float32], part: Part, limits: tuple[float, float] | None) -> Normalize:
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm

    low, high = (float(values.min()), float(values.max())) if limits is None or part.kind in ("signed", "cyclic") else limits
    if part.kind == "cyclic":
        return Normalize(-part.turn / 2, part.turn / 2)
    if part.kind == "signed":
        peak = max(abs(low), abs(high)) or 1.0
        return SymLogNorm(peak * 10 ** (-_SIGNED_RANGE_DB / 20), vmin=-peak, vmax=peak, base=10)
    if part.kind == "magnitude":
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
        if not kept or (position - kept[-1][0]) / count * PANEL_HEIGHT > 14:
            kept.append((position, float(tick)))
    scale, label = {"Hz": (1.0, "frequency (Hz)"), "s": (1e3, "offset in the block (ms)"), "": (1.0, "band")}[axes.band_unit]
    panel.set_yticks([position for position, _ in kept], [_number(tick * scale) for _, tick in kept])
    panel.set_ylabel(label, fontsize=8)


def time_axis(panel: Panel, seconds: float, pixels: int) -> None:
    """Sets the time axis: 0 to `seconds` over `pixels`."""
    from matplotlib.ticker import MaxNLocator

    panel.set_xlim(0, seconds)
    panel.xaxis.set_major_locator(MaxNLocator(max(2, pixels // 80), steps=[1, 2, 2.5, 5, 10]))
    panel.set_xlabel("time (s)", fontsize=8)


def _unit_label(part: Part) -> str:
    name = part.name.rpartition(" ")[2] if part.unit != "half turns a hop" else ""
    return f"{name} ({part.unit})" if part.unit and name else part.unit or name


def _number(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:.4g}"
