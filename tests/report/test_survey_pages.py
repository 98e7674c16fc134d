"""The page of a survey in a browser, from disk: a listener answers, saves, and the answers are analysed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from browser import opened
from survey_answers import answers_of
from timbrespace.evaluation.survey.analysis import analyse
from timbrespace.evaluation.survey.make import SurveyOptions, make_survey, write_survey
from timbrespace.evaluation.survey.survey import Survey, read_survey
from timbrespace.report.survey_page import render_survey_page
from timbrespace.report.survey_results import render_survey_results
from tiny import Tiny


@pytest.fixture(scope="module")
def folder(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("survey") / "survey"
    options = SurveyOptions(sounds=2, listeners=3, items=4, repeats=1)
    survey, sounds = make_survey({"real": tiny.folder, "new": tiny.file}, options)
    write_survey(survey, sounds, out, render_survey_page(survey))
    return out


def answer_all(tab: Any, survey: Survey, plan: int) -> None:
    """Answers every question: the right number of beeps, the last option of all others, as a listener does."""
    for place, name in enumerate(survey.plans[plan]):
        tab.wait_for_function(f"document.getElementById('state').textContent.startsWith('Sound {place + 1} of')")
        assert tab.locator("#next").is_disabled()
        assert tab.locator("#questions input").first.is_disabled()
        tab.locator("#play").click()
        tab.wait_for_function("document.getElementById('state').textContent.startsWith('Now')", timeout=60_000)
        item = survey.items[name]
        for question in survey.questions[item.kind]:
            wanted = item.accepted[0] if item.kind == "check" else question.options[-1] if question.options else "5"
            tab.locator(f"fieldset[data-name='{question.name}'] input[value='{wanted}']").check()
        tab.locator("#next").click()


def test_a_listener_answers_and_saves(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("scikit_posthocs")
    survey = read_survey(folder)
    with opened(folder / "public" / "index.html") as tab:
        tab.locator("#number").fill("2")
        tab.locator("fieldset[data-name='device'] input[value='headphones']").check()
        tab.locator("#start .main").click()
        answer_all(tab, survey, 1)
        with tab.expect_download() as download:
            tab.locator("#save").click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    (saved,) = tmp_path.glob("answers-*.json")
    values = json.loads(saved.read_text())
    assert values["plan"] == 1
    assert values["background"] == {"device": "headphones"}
    found = analyse(folder, tmp_path)
    assert found.listeners == 1
    assert found.steadiness == 1
    assert all(group.mean == 5 for one in found.rated for group in one.comparison.groups.values())
    assert all(right == (0, 2) for one in found.recognised for right in one.recognition.right.values())


def test_a_listener_goes_on_after_closing_the_page(folder: Path) -> None:
    survey = read_survey(folder)
    with opened(folder / "public" / "index.html") as tab:
        tab.locator("#number").fill("1")
        tab.locator("#start .main").click()
        tab.locator("#play").click()
        tab.wait_for_function("document.getElementById('state').textContent.startsWith('Now')", timeout=60_000)
        tab.locator(f"fieldset[data-name='beeps'] input[value='{survey.items[survey.plans[0][0]].accepted[0]}']").check()
        tab.locator("#next").click()
        tab.reload()
        assert tab.locator("#state").text_content().startswith("Sound 2 of")
        assert tab.locator("#start").is_hidden()


def test_a_missing_sound_is_said(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text((folder / "public" / "index.html").read_text(encoding="utf-8"), encoding="utf-8")
    sync_api = pytest.importorskip("playwright.sync_api")
    with pytest.raises(AssertionError), opened(page) as tab:  # the browser itself complains on the console
        tab.locator("#try").click()
        sync_api.expect(tab.locator(".trouble")).to_contain_text("could not be played")


@pytest.mark.parametrize("width", [390, 1100])
def test_results_are_shown(folder: Path, tmp_path: Path, width: int) -> None:
    pytest.importorskip("scikit_posthocs")
    survey = read_survey(folder)
    for plan in range(3):
        likes = {"real": 4 + plan % 2, "new": 2 + plan % 2}
        (tmp_path / f"{plan}.json").write_text(json.dumps(answers_of(survey, plan, likes=likes)))
    (tmp_path / "<img src=x>.json").write_text("[]")
    page = tmp_path / "results.html"
    page.write_text(render_survey_results(analyse(folder, tmp_path)), encoding="utf-8")
    with opened(page, width=width) as tab:
        text = tab.locator("main").text_content()
        assert "3 listeners count" in tab.locator(".summary").text_content()
        assert "hint, not a result" in text
        assert "<img src=x>.json" in text
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
