"""Charts as SVG text inside a page, drawn by matplotlib: lines over steps, bars, box plots.

A chart follows the page's light and dark theme: matplotlib draws in placeholder colours, which are then replaced by CSS variables.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from timbrespace.atomic import write_bytes, write_text
from timbrespace.report.templates import COLOURS, GREY, printable

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _BOX_HEIGHT = 5.6, 2.6, 0.26  # inches; the SVG has 72 units an inch
_LOG_RATIO = 8.0  # an axis is logarithmic if its largest value is more than this times its smallest
_LONGEST_NAME = 26  # characters
# Placeholders for the colours of the page: categories and grey, soft and full ink, grid, accent.
SERIES = [f"#0000b{number:x}" for number in range(COLOURS + 1)]
SOFT, INK, GRID, ACCENT = "#0000a0", "#0000a1", "#0000a2", "#0000a3"
_ID = re.compile(r"\b[a-z][0-9a-f]{10}\b")  # of clip paths and markers
_VARIABLES = {colour: f"var(--c{number})" for number, colour in enumerate(SERIES)}
_VARIABLES |= {SOFT: "var(--soft)", INK: "var(--ink)", GRID: "var(--line)", ACCENT: "var(--accent)"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "timbrespace",  # the same chart has the same bytes
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "text.parse_math": False,  # a name with dollar signs is a name
    "text.color": SOFT,
    "axes.labelcolor": SOFT,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.spines.bottom": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, its x and y values, and the number of its colour, 0 to 12."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int


@dataclass(frozen=True)
class Chart:
    """A chart and its title. svg: an `<svg>` element, safe to stand in a page."""

    title: str
    svg: Markup


def line_chart(
    title: str, lines: Sequence[Line], *, unit: str, level: tuple[float, str] | None = None, mark: tuple[float, str] | None = None
) -> Chart:
    """Returns lines over steps with a legend.

    unit: of the y values. level: a value to compare with, and its name, drawn as a dashed line. mark: a step, and its name.
    """

    def draw(axes: Axes) -> None:
        for line in lines:
            points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]  # a gap in the values is no gap in the line
            axes.plot([x for x, _ in points], [y for _, y in points], color=SERIES[line.colour], label=printable(line.name))
        if level is not None:
            axes.axhline(level[0], color=ACCENT, linestyle="--", linewidth=1, label=printable(level[1]))
        if mark is not None:
            axes.axvline(mark[0], color=SOFT, linewidth=1, label=printable(mark[1]))
        _scale(axes, "y", [value for line in lines for value in line.y] + ([] if level is None else [level[0]]))
        axes.set_xlim(0, max((x for line in lines for x in line.x), default=1.0) or 1.0)
        axes.locator_params(axis="x", integer=True)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("step")
        axes.set_ylabel(printable(unit))
        axes.grid(visible=False, axis="x")

    return _chart(title, draw)


def bar_chart(title: str, values: Sequence[float], *, unit: str, level: tuple[float, str] | None = None) -> Chart:
    """Returns one bar per value, numbered from 1. level: a threshold and its name; bars below it are grey."""

    def draw(axes: Axes) -> None:
        colours = [SERIES[0 if level is None or value >= level[0] else GREY] for value in values]
        bars = axes.bar(range(1, len(values) + 1), values, color=colours, label=None if level is None else printable(level[1]))
        for number, (bar, value) in enumerate(zip(bars, values, strict=True), 1):
            bar.set_gid(_tooltip(f"{number}: {_number(value)} {unit}"))
        axes.set_xticks(sorted({1, (len(values) + 1) // 2, len(values)}))
        axes.yaxis.set_major_formatter(_number)
        axes.set_ylabel(printable(unit))
        axes.grid(visible=False, axis="x")

    return _chart(title, draw)


def group_chart(title: str, names: Sequence[str], series: Mapping[str, Sequence[float | None]], *, unit: str) -> Chart:
    """Returns a group of bars for each name, one bar for each series, up or down from 0. None: no bar. unit: of the values."""

    def draw(axes: Axes) -> None:
        width = 0.8 / max(1, len(series))
        for number, (label, values) in enumerate(series.items()):
            held = [(place, value) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
            at = [place + (number + 0.5) * width - 0.4 for place, _ in held]
            bars = axes.bar(at, [value for _, value in held], width * 0.92, color=SERIES[number % COLOURS], label=printable(label))
            for bar, (place, value) in zip(bars, held, strict=True):
                bar.set_gid(_tooltip(f"{label}, {names[place]}: {_number(value)} {unit}"))
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set_xticks(range(len(names)), [printable(_shortened(name)).replace(" ", "\n") for name in names])
        axes.yaxis.set_major_formatter(_number)
        axes.set_ylabel(printable(unit))
        axes.grid(visible=False, axis="x")

    return _chart(title, draw)


def box_chart(title: str, groups: Mapping[str, Sequence[float]], *, unit: str) -> Chart:
    """Returns a horizontal box per group: quartiles and median, whiskers to 1.5 times the box, points beyond. unit: of the values."""

    def draw(axes: Axes) -> None:
        finite = {name: [value for value in values if math.isfinite(value)] for name, values in groups.items()}
        drawn = axes.boxplot(
            list(finite.values()),
            orientation="horizontal",
            widths=0.6,
            patch_artist=True,
            showcaps=False,
            whiskerprops={"color": SERIES[0], "linewidth": 0.8},
            boxprops={"facecolor": f"{SERIES[0]}48", "edgecolor": SERIES[0], "linewidth": 0.8},  # 48 of ff: the opacity
            medianprops={"color": INK, "linewidth": 1.5},
            flierprops={"marker": ".", "markersize": 4, "markerfacecolor": SERIES[0], "markeredgewidth": 0},
        )
        for (name, values), patch in zip(finite.items(), drawn["boxes"], strict=True):
            patch.set_gid(_tooltip(f"{name}: median {_number(float(np.median(values)))} {unit}" if values else name))
        axes.set_yticks(range(1, len(finite) + 1), [f"{printable(_shortened(name))} ({len(values)})" for name, values in finite.items()])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.invert_yaxis()
        _scale(axes, "x", [value for values in finite.values() for value in values])
        axes.set_xlabel(printable(unit))
        axes.grid(visible=False, axis="y")

    return _chart(title, draw, height=0.6 + _BOX_HEIGHT * len(groups))


def _scale(axes: Axes, axis: Literal["x", "y"], values: Sequence[float]) -> None:
    """Makes an axis logarithmic where its values span a large ratio, else linear with 0 on it."""
    from matplotlib.ticker import LogLocator, NullLocator

    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    ticks = axes.xaxis if axis == "x" else axes.yaxis
    if min(finite) > 0 and max(finite) / min(finite) > _LOG_RATIO:
        axes.set(**{f"{axis}scale": "log"})
        ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ticks.set_minor_locator(NullLocator())
    else:
        low, high = min(0.0, *finite), max(finite)
        axes.set(**{f"{axis}lim": (low, high + 0.06 * (high - low) or 1.0)})
    ticks.set_major_formatter(_number)


def _chart(title: str, draw: Callable[[Axes], None], *, height: float = _HEIGHT) -> Chart:
    def whole(figure: Figure) -> None:
        axes = figure.subplots()
        draw(axes)
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside lower left", ncols=3)

    return figure_chart(title, whole, height=height)


def figure_chart(
    title: str,
    draw: Callable[[Figure], None],
    *,
    width: float = _WIDTH,
    height: float = _HEIGHT,
    layout: Literal["constrained"] | None = "constrained",
) -> Chart:
    """Returns a chart of any axes that `draw` puts into a figure, in the colours SERIES, SOFT, INK, GRID and ACCENT.

    width, height: inches. layout: None for a figure that arranges its axes itself, which is faster.
    """
    from markupsafe import Markup, escape
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    text = io.StringIO()
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the browser has other fonts
        figure = Figure(figsize=(width, height), layout=layout)
        draw(figure)
        figure.savefig(text, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = with_stable_ids(text.getvalue())
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<style.*?</style>", "", body)  # would style the whole page; see static/diagnostics.css
    body = re.sub(r"(?<=px; )font-family: [^;]*; ", "", body)
    body = re.sub(r'<g id="tooltip:([^"]*)">', r"<g><title>\1</title>", body)
    body = re.sub(r'<g id="[a-z0-9._]*"', "<g", body)  # every chart has the same ids, a page must not
    body = re.sub(r"(?<=: )#0000[ab][0-9a-f]", lambda found: _VARIABLES[found[0]], body)
    start = f'<svg viewBox="0 0 {72 * width:g} {72 * height:g}" role="img" aria-label="{escape(printable(title))}">'
    return Chart(title, Markup(start + body))  # matplotlib escapes text, and the title is escaped here


def write_figure(path: Path, figure: Figure, *, dpi: int, force: bool = False) -> None:
    """Writes a figure on white as PNG or SVG, by the suffix of `path`; the same figure has the same bytes. Raises OutputExistsError."""
    look: dict[str, Any] = {"facecolor": "white", "bbox_inches": "tight", "pad_inches": 0.15}
    if path.suffix.lower() == ".svg":
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")), **look)
        write_text(path, with_stable_ids(text.getvalue()), force=force)
    else:
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=dpi, metadata={"Software": None}, **look)
        write_bytes(path, data.getvalue(), force=force)


def with_stable_ids(svg: str) -> str:
    """Returns the SVG of matplotlib with ids named by its content: its own hold addresses of objects and differ from run to run.

    Different figures have different ids, so that one page can hold many.
    """
    numbers: dict[str, str] = {}
    numbered = _ID.sub(lambda found: numbers.setdefault(found[0], f"{found[0][0]}{len(numbers):010x}"), svg)
    content = sha256(numbered.encode()).hexdigest()[:8]
    names = {number: f"{number[0]}{content}{number[-2:]}" for number in numbers.values()}
    return _ID.sub(lambda found: names.get(found[0], found[0]), numbered)


def _tooltip(text: str) -> str:
    """Returns the group id of a shape that `_chart` turns into a tooltip."""
    return "tooltip:" + printable(text)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _number(value: float, _position: object = None) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
