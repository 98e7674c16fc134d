"""Drawings of a latent space on matplotlib's axes: spread of each dimension, KL, correlations, pairs of dimensions by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.report.templates import GREY, printable
from timbrespace.space.statistics.statistics import LatentStatistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DIMS = 32  # drawn, the most informative ones
PAIRED = 5  # dimensions; all pairs of them are drawn
_STEP = 0.8  # height of a histogram, of the distance of two rows, is up to twice that


class Colours:
    """Colours of a drawing: series (thirteen, the last is grey), soft and full ink, grid, accent."""

    def __init__(self, series: Sequence[str], *, soft: str, ink: str, grid: str, accent: str):
        self.series, self.soft, self.ink, self.grid, self.accent = list(series), soft, ink, grid, accent


def shown_dims(statistics: LatentStatistics, most: int = MOST_DIMS) -> list[int]:
    """Returns the most informative inferred dimensions, at most `most`."""
    return statistics.order[:most]


def category_colours(statistics: LatentStatistics) -> dict[str, int]:
    """Returns the colour number of each category, the most frequent first; "" is none."""
    counts = Counter(category or "" for category in statistics.categories)
    ordered = sorted(counts, key=lambda category: (not category, -counts[category], category))
    return {category: min(rank, GREY) if category else GREY for rank, category in enumerate(ordered)}


def draw_spread(axes: Axes, statistics: LatentStatistics, dims: Sequence[int], colours: Colours) -> None:
    """Draws a row for each dimension: the histogram of the latents, their mean and deviation, and the prior as a line."""
    edges = statistics.edges.numpy()
    middles, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    prior = np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi) * width
    heights = statistics.counts[list(dims)].numpy() / len(statistics.points)
    scale = 2 * _STEP / max(float(np.quantile(heights.max(1), 0.9)), float(prior.max()) if statistics.has_prior else 1e-9)
    for row, dim in enumerate(dims):
        colour = colours.series[0] if bool(statistics.used[dim]) else colours.series[GREY]
        height = np.minimum(heights[row] * scale, 3.0)
        axes.fill_between(middles, row, row - height, step="mid", color=colour, alpha=0.35, linewidth=0)
        if statistics.has_prior:
            axes.plot(middles, row - prior * scale, color=colours.soft, linewidth=0.6)
        mean, deviation = float(statistics.mean[dim]), float(statistics.deviation[dim])
        axes.plot([mean - deviation, mean + deviation], [row, row], color=colours.ink, linewidth=1.2, solid_capstyle="butt")
        axes.plot([mean], [row], marker="|", color=colours.ink, markersize=6, markeredgewidth=1.2)
    axes.set_ylim(len(dims) - 0.5, -2.2)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_yticks(range(len(dims)), [str(dim + 1) for dim in dims], fontsize=6)
    axes.set_ylabel("dimension")
    axes.set_xlabel("mean ± deviation" + (", line: prior" if statistics.has_prior else ""))
    axes.grid(visible=False, axis="y")


def draw_use(axes: Axes, statistics: LatentStatistics, dims: Sequence[int], colours: Colours) -> None:
    """Draws the KL of each dimension, without a posterior its variance, as a bar; grey where the dimension is not used."""
    values = statistics.variance if statistics.kl is None else statistics.kl
    marks = [colours.series[3 if bool(statistics.used[dim]) else GREY] for dim in dims]
    axes.barh(range(len(dims)), values[list(dims)].numpy(), color=marks, height=0.75)
    axes.set_ylim(len(dims) - 0.5, -2.2)
    axes.set_yticks(range(len(dims)), [str(dim + 1) for dim in dims], fontsize=6)
    axes.set_xlabel("variance" if statistics.kl is None else "KL (nats)")
    axes.grid(visible=False, axis="y")


def draw_correlations(axes: Axes, statistics: LatentStatistics, dims: Sequence[int], colours: Colours) -> None:
    """Draws correlations between dimensions as squares below the diagonal, stronger for larger |r|."""
    from matplotlib.patches import Rectangle

    rows = [statistics.correlated.index(dim) for dim in dims if dim in statistics.correlated]
    kept = [dim for dim in dims if dim in statistics.correlated]
    values = statistics.correlations[rows][:, rows].numpy()
    for i in range(len(rows)):
        for j in range(i):
            r = float(values[i, j])
            if abs(r) >= 0.05:
                colour = colours.accent if r > 0 else colours.series[7]
                axes.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, facecolor=colour, alpha=min(1.0, abs(r) ** 0.7), linewidth=0))
    axes.set(xlim=(-0.7, max(len(rows) - 1.3, 0.3)), ylim=(len(rows) - 0.3, 0.3), aspect="equal")
    axes.set_xticks(range(len(rows) - 1), [str(dim + 1) for dim in kept[:-1]], fontsize=5, rotation=90)
    axes.set_yticks(range(1, len(rows)), [str(dim + 1) for dim in kept[1:]], fontsize=5)
    axes.plot([], [], "s", color=colours.accent, label="together")
    axes.plot([], [], "s", color=colours.series[7], label="opposite")
    axes.legend(loc="upper right", fontsize=7)
    axes.grid(visible=False)


def draw_pairs(
    figure: Figure | Any, statistics: LatentStatistics, dims: Sequence[int], colours: Colours, *, most: int | None = None
) -> None:
    """Draws the points in the plane of every pair of dimensions, coloured by category; on the diagonal a histogram for each category.

    most: points to draw, spread over all; None: all.
    """
    count = len(statistics.points)
    rows = np.arange(count) if most is None or count <= most else np.linspace(0, count - 1, most).round().astype(int)
    points, palette = statistics.points.numpy(), category_colours(statistics)
    of = np.array([palette[category or ""] for category in statistics.categories])
    grid = figure.subplots(len(dims), len(dims), squeeze=False, gridspec_kw={"wspace": 0.06, "hspace": 0.06})
    low, high = float(statistics.edges[0]), float(statistics.edges[-1])
    size = 3.0 if len(rows) > 300 else 4.5
    for i, vertical in enumerate(dims):
        for j, across in enumerate(dims):
            axes = grid[i][j]
            if j > i:
                axes.set_axis_off()
                continue
            if i == j:
                _diagonal(axes, points[:, across], of, (low, high), colours)
            else:
                for number in sorted(set(of.tolist()), reverse=True):
                    some = rows[of[rows] == number]
                    look: dict[str, Any] = {"markersize": size, "color": colours.series[number], "alpha": 0.75, "markeredgewidth": 0}
                    axes.plot(points[some, across], points[some, vertical], ".", **look)
                axes.set_ylim(low, high)
            axes.set_xlim(low, high)
            axes.grid(visible=False)
            axes.set_xticks([0]) if statistics.has_prior else axes.set_xticks([])
            axes.set_yticks([0]) if statistics.has_prior and i != j else axes.set_yticks([])
            axes.tick_params(labelbottom=False, labelleft=False)
            axes.axvline(0, color=colours.grid, linewidth=0.6, zorder=0)
            if i != j:
                axes.axhline(0, color=colours.grid, linewidth=0.6, zorder=0)
            if i == len(dims) - 1:
                axes.set_xlabel(f"dimension {across + 1}", fontsize=7)
            if j == 0:
                axes.set_ylabel(f"dimension {vertical + 1}", fontsize=7)
    figure.legend(handles=_handles(palette, colours), loc="upper right", fontsize=7, frameon=False)


def _diagonal(axes: Axes, values: np.ndarray, of: np.ndarray, ends: tuple[float, float], colours: Colours) -> None:
    """Histograms of one dimension, one for each colour, stacked."""
    edges = np.linspace(*ends, 25)
    below = np.zeros(24)
    for number in sorted(set(of.tolist())):
        counts = np.histogram(np.clip(values[of == number], *ends), edges)[0]
        axes.stairs(below + counts, edges, baseline=below, fill=True, color=colours.series[number], alpha=0.8, linewidth=0)
        below = below + counts


def _handles(palette: Mapping[str, int], colours: Colours) -> list[Any]:
    """Marks of the legend: each category with a colour of its own, and the others."""
    from matplotlib.lines import Line2D

    named = [(printable(name), number) for name, number in palette.items() if number < GREY]
    rest = [name for name, number in palette.items() if number == GREY]
    named += [("others" if len(rest) > 1 else printable(rest[0]) or "no category", GREY)] if rest else []
    return [Line2D([], [], marker="o", linestyle="none", markersize=4, color=colours.series[number], label=text) for text, number in named]
