"""The page on which listeners answer a survey: one HTML file beside a folder of sounds, from disk or from `survey serve`."""

from __future__ import annotations

from dataclasses import dataclass, field

from timbrespace import __version__
from timbrespace.evaluation.survey.survey import Survey
from timbrespace.report.card import CardView
from timbrespace.report.templates import render, render_closed

_SECONDS_A_SOUND = 12  # to answer, beside its length
_SECONDS_BEFORE = 60
_STYLES = ["page.css", "survey.css"]


@dataclass(frozen=True)
class SurveyFrame:
    """What the frame of all pages names, for the pages of a survey, which have no card."""

    title: str
    about: str
    made_with: str = f"Made with timbrespace {__version__}."
    card: CardView = field(default_factory=CardView)
    steps: tuple[tuple[str, float], ...] = ()


def render_survey_page(survey: Survey) -> str:
    """Returns the page as HTML text, for use from disk. It holds no condition, no source and no right answer."""
    about = f"{_about(survey)} Your answers stay on this computer until you hand them in."
    return render(
        "survey.html",
        page=SurveyFrame(survey.title, about),
        served=False,
        styles=_STYLES,
        scripts=["page.js", "survey_disk.js", "survey.js"],
        script_data=survey.public_dict(),
    )


def render_served_survey(survey: Survey) -> str:
    """Returns the page that `survey serve` gives to listeners: the same, without the plans; the server sends each listener one of them."""
    about = (
        f"{_about(survey)} Each answer is sent at once to the computer that runs this test. Nothing else about you is stored: no name and "
        "no address."
    )
    return render_closed(
        "survey.html",
        loads="media-src 'self'; connect-src 'self'",
        page=SurveyFrame(survey.title, about),
        served=True,
        styles=_STYLES,
        scripts=["page.js", "survey_server.js", "survey.js"],
        script_data={name: value for name, value in survey.public_dict().items() if name != "plans"},
    )


def _about(survey: Survey) -> str:
    longest = max((sum(survey.items[name].seconds + _SECONDS_A_SOUND for name in plan) for plan in survey.plans), default=0.0)
    return (
        "You will hear short sounds and answer a few questions on each. Use headphones if you can, in a quiet place. It takes about "
        f"{max(1, round((_SECONDS_BEFORE + longest) / 60))} minutes; you can stop and go on later in the same browser."
    )
