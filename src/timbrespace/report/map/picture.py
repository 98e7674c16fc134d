"""The map as a picture, PNG or SVG, drawn by matplotlib."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.audio.describe import DESCRIPTORS, Descriptor
from timbrespace.report.charts import write_figure
from timbrespace.report.map.data import ordered_categories
from timbrespace.report.map.page import GROUPS, METHOD_NAMES, check_colouring
from timbrespace.report.templates import GREY, printable
from timbrespace.space.atlas.atlas import NEW, TRAINING, Atlas
from timbrespace.space.atlas.clusters import MapClusters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The colours of static/page.css for a white background, see tests/report/test_colours.py; the last is grey.
COLOURS = ["#0f991d", "#61086d", "#0e08c3", "#be1b6c", "#895201", "#0d450c", "#7b09fe", "#168ffe", "#0a6c8d", "#fc4f46", "#c838c1"]
COLOURS += ["#8d0440", "#8b8d98"]
_VECTORS = 3_000  # with more dots an SVG holds them as a picture
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "timbrespace",
    "font.sans-serif": ["DejaVu Sans"],
    "text.parse_math": False,
}


def write_picture(
    path: Path | str, atlas: Atlas, clusters: MapClusters, *, title: str = "Map", colour: str = "category", force: bool = False
) -> Path:
    """Writes the map as a PNG of 1,800 pixels or as an SVG, by the suffix of `path`, which it returns.

    Arguments as in `write_map_page`. Raises ConfigError, OutputExistsError.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    check_colouring(atlas, colour)
    path = Path(path)
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(9, 8), layout="constrained")
        axes = figure.subplots()
        if colour in GROUPS:
            _groups(axes, atlas, clusters, colour)
        else:
            _scale(axes, atlas, colour)
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        axes.set_title(printable(title), loc="left", fontweight="bold")
        axes.set_xlabel(f"{len(atlas):,} sounds, laid out by {METHOD_NAMES[atlas.method]}", loc="left", fontsize=8, color="#62646f")
        write_figure(path, figure, dpi=200, force=force)
    return path


def _groups(axes: Axes, atlas: Atlas, clusters: MapClusters, colour: str) -> None:
    """Dots by category or cluster, with a legend."""
    if colour == "category":
        names = ordered_categories(atlas)
        of = np.array([names.index(category or "") for category in atlas.categories])
        colours = [COLOURS[min(number, GREY)] if name else COLOURS[GREY] for number, name in enumerate(names)]
        texts = [printable(name) or "no category" for name in names]
    else:
        of, texts = np.array(clusters.numbers), [printable(title) for title in clusters.titles]
        colours = [COLOURS[min(number, GREY)] for number in range(len(texts))]
    for number, text in enumerate(texts[:GREY]):
        _dots(axes, atlas, of == number, color=colours[number], label=text)
    if len(texts) > GREY:
        _dots(axes, atlas, of >= GREY, color=COLOURS[GREY], label="others" if len(texts) > GREY + 1 else texts[GREY])
    _legend(axes, atlas)


def _scale(axes: Axes, atlas: Atlas, name: str) -> None:
    """Dots by a descriptor, with a bar of its values; grey where it is not known."""
    descriptor, column = DESCRIPTORS[name], list(DESCRIPTORS).index(name)
    values = atlas.points.descriptors[:, column].numpy()
    known = np.isfinite(values)
    low, high = np.quantile(values[known], [0.02, 0.98])
    _dots(axes, atlas, ~known, color="#c9cad1", label="not known")
    drawn = _dots(axes, atlas, known, c=values[known], cmap="inferno_r", vmin=low, vmax=max(high, low + 1e-3))
    assert axes.figure is not None
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.5, aspect=30, label=_title(descriptor))
    bar.ax.yaxis.set_major_formatter(lambda place, _: f"{descriptor.from_scale(place):.3g}")
    bar.outline.set_visible(False)
    _legend(axes, atlas)


def _dots(axes: Axes, atlas: Atlas, chosen: np.ndarray, **look: Any) -> Any:
    """Draws the chosen points: training sounds small, new sounds ringed, given ones as squares. Returns one of the collections."""
    positions, kinds = atlas.positions.numpy(), np.array(atlas.points.kinds)
    size = float(np.clip(9_000 / max(len(atlas), 1), 4, 26))
    drawn = None
    for kind in dict.fromkeys(kinds.tolist()):
        rows = chosen & (kinds == kind)
        style: dict[str, Any] = {**look, "s": size if kind == TRAINING else 2.2 * size, "linewidths": 0.0 if kind == TRAINING else 0.9}
        if "c" in look:
            style["c"] = look["c"][kinds[chosen] == kind]
        elif not rows.any():
            continue
        if kind != TRAINING:
            style |= {"edgecolors": "#1b1c22", "marker": "o" if kind == NEW else "s"}
        drawn = axes.scatter(positions[rows, 0], positions[rows, 1], alpha=0.85, rasterized=len(atlas) > _VECTORS, **style)
        look.pop("label", None)
    return drawn


def _legend(axes: Axes, atlas: Atlas) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axes.get_legend_handles_labels()
    for kind, text in (("new", "new sound"), ("given", "your sound")):
        if kind in atlas.points.kinds:
            look: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "#1b1c22", "linestyle": "none", "label": text}
            look["marker"] = "o" if kind == "new" else "s"
            handles.append(Line2D([], [], **look))
    if handles:
        axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)


def _title(descriptor: Descriptor) -> str:
    return descriptor.name.replace("_", " ") + (f" ({descriptor.unit})" if descriptor.unit else "")
