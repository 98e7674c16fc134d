"""The results of a survey as one HTML page: in words, in bars, in figures."""

from __future__ import annotations

from collections.abc import Sequence

from timbrespace.evaluation.survey.analysis import Analysis
from timbrespace.evaluation.survey.statistics import size_of
from timbrespace.evaluation.survey.wording import p_text
from timbrespace.report.survey_page import SurveyFrame
from timbrespace.report.templates import render

_KINDS = {"single": "Single sounds", "morph": "Morphs"}
_BACKGROUND = {
    "age": "Age", "music": "Making music", "production": "Choosing sounds", "device": "Listening on", "hearing": "Impaired hearing",
}  # fmt: skip


def render_survey_results(analysis: Analysis) -> str:
    """Returns the page as HTML text."""
    about = f"{analysis.listeners} listeners compared {', '.join(analysis.conditions)}."
    return render(
        "survey_results.html",
        page=SurveyFrame(f"Results: {analysis.title}", about),
        analysis=analysis,
        kinds=_KINDS,
        shares_of=_shares,
        background={_BACKGROUND.get(name, name): counts for name, counts in analysis.background.items() if counts},
        p_text=p_text,
        size_of=size_of,
        styles=["page.css", "survey_results.css"],
        scripts=["page.js"],
        script_data={},
    )


def _shares(ratings: Sequence[float]) -> list[float]:
    """Percent of the ratings 1 to 5."""
    return [100 * sum(value == step for value in ratings) / len(ratings) for step in range(1, 6)]
