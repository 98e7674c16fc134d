"""The page on which listeners answer a survey: one HTML file beside a folder of sounds, offline."""

from __future__ import annotations

from timbrespace import __version__
from timbrespace.evaluation.survey.survey import Survey
from timbrespace.report.templates import render

_SECONDS_A_SOUND = 12  # to answer, beside its length
_SECONDS_BEFORE = 60


def render_survey_page(survey: Survey) -> str:
    """Returns the page as HTML text. It holds no condition, no source and no right answer."""
    longest = max((sum(survey.items[name].seconds + _SECONDS_A_SOUND for name in plan) for plan in survey.plans), default=0.0)
    return render(
        "survey.html",
        title=survey.title,
        minutes=max(1, round((_SECONDS_BEFORE + longest) / 60)),
        data=survey.public_dict(),
        made_with=f"Made with timbrespace {__version__}.",
        styles=["page.css", "survey.css"],
        scripts=["survey.js"],
    )
