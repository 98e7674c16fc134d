"""The latent space on a page: sentences, charts in the page's colours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from timbrespace.report.charts import ACCENT, GRID, INK, SERIES, SOFT, Chart, figure_chart
from timbrespace.report.latents.drawing import (
    MOST_DIMS,
    PAIRED,
    Colours,
    draw_correlations,
    draw_pairs,
    draw_spread,
    draw_use,
    shown_dims,
)
from timbrespace.report.latents.words import sentences
from timbrespace.space.statistics.statistics import LatentStatistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE = Colours(SERIES, soft=SOFT, ink=INK, grid=GRID, accent=ACCENT)
_POINTS = 200  # of a pair plot in a page: each is an element of it


@dataclass(frozen=True)
class LatentView:
    """What a page shows of a latent space."""

    sentences: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)


def latent_view(statistics: LatentStatistics) -> LatentView:
    """Returns sentences and charts about a latent space: use and spread of its dimensions, correlations, pairs by category."""
    dims = shown_dims(statistics)
    paired = dims[: min(PAIRED, len(dims))]
    more = f", the {MOST_DIMS} most informative of {statistics.inferred}" if statistics.inferred > MOST_DIMS else ""

    def use(figure: Figure) -> None:
        spread, bars = figure.subplots(1, 2, width_ratios=(2.2, 1))
        draw_spread(spread, statistics, dims, _PAGE)
        draw_use(bars, statistics, dims, _PAGE)

    def correlated(figure: Figure) -> None:
        draw_correlations(figure.subplots(), statistics, dims, _PAGE)

    def pairs(figure: Figure) -> None:
        figure.subplots_adjust(left=0.07, right=0.99, top=0.99, bottom=0.07)
        draw_pairs(figure, statistics, paired, _PAGE, most=_POINTS)

    charts = [figure_chart(f"Each dimension{more}", use, height=1.1 + 0.15 * len(dims))]
    if len(paired) > 1:
        charts.append(figure_chart("Pairs of the most informative dimensions, by category", pairs, height=5.6, layout=None))
        charts.append(figure_chart("Correlations between dimensions", correlated, height=5.0))
    return LatentView(sentences(statistics), charts)
