"""The statistics of a latent space as one picture, PNG or SVG."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.report.charts import write_figure
from timbrespace.report.latents.drawing import PAIRED, Colours, draw_correlations, draw_pairs, draw_spread, draw_use, shown_dims
from timbrespace.report.map.picture import COLOURS
from timbrespace.report.templates import printable
from timbrespace.space.statistics.statistics import LatentStatistics

_WHITE = Colours(COLOURS, soft="#62646f", ink="#1b1c22", grid="#e0ded8", accent="#b8352b")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "timbrespace", "font.sans-serif": ["DejaVu Sans"], "font.size": 8, "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip


def check_picture_name(path: Path) -> Path:
    """Returns `path`. Raises ConfigError unless its name ends in .png or .svg."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise ConfigError(f"the picture is to be written to {path.name!r}; its name must end in .png or .svg")
    return path


def write_latent_picture(path: Path | str, statistics: LatentStatistics, *, title: str = "", force: bool = False) -> Path:
    """Writes spread, use, correlations and pairs of the dimensions as one picture and returns its path.

    Raises ConfigError for another suffix than .png or .svg, OutputExistsError.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    path = check_picture_name(Path(path))
    dims = shown_dims(statistics)
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(17, 8), layout="constrained")
        figure.suptitle(printable(title), x=0.01, ha="left", fontweight="bold")
        parts: Any = figure.subfigures(1, 3, width_ratios=(1.1, 1.2, 2))
        spread, bars = parts[0].subplots(1, 2, width_ratios=(2, 1))
        draw_spread(spread, statistics, dims, _WHITE)
        draw_use(bars, statistics, dims, _WHITE)
        draw_correlations(parts[1].subplots(), statistics, dims, _WHITE)
        draw_pairs(parts[2], statistics, dims[:PAIRED], _WHITE, most=3_000)
        write_figure(path, figure, dpi=100, force=force)
    return path
