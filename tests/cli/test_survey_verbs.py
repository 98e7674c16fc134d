"""`timbrespace survey make` and `survey analyse` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from survey_answers import answers_of
from timbrespace.evaluation.survey.survey import read_survey
from tiny import Tiny


def test_a_survey_is_made_and_analysed(tiny: Tiny, shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("scikit_posthocs")
    folder = tmp_path / "test"
    made = shell("survey", "make", f"real={tiny.folder}", f"new={tiny.file}", "--out", folder, "--sounds", 2, "--listeners", 3)
    assert "4 sounds of new, real" in made
    survey = read_survey(folder)
    (folder / "answers").mkdir()
    for plan in range(3):
        values = answers_of(survey, plan, likes={"real": 5 - plan % 2, "new": 2 + plan % 2})
        (folder / "answers" / f"{plan}.json").write_text(json.dumps(values))
    found = shell("survey", "analyse", folder, "--out", tmp_path / "results.html")
    assert "real 4.7 of 5, new 2.3 of 5." in found
    assert (tmp_path / "results.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "exists" in shell("survey", "analyse", folder, "--out", tmp_path / "results.html", code=2)
    assert shell.json("survey", "analyse", folder)["listeners"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["survey", "make", "real", "b=c", "--out", "x"], "NAME=FOLDER"),
        (["survey", "make", "a=x", "a=y", "--out", "x"], "given twice"),
        (["survey", "make", "a=nowhere", "b=nowhere", "--out", "x"], "no such file"),
        (["survey", "analyse", "nowhere"], "there is no file"),
        (["survey", "play"], "allowed are survey make, survey serve, survey analyse"),
    ],
)
def test_bad_input_is_explained(shell: Shell, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in shell(*words, code=2)


def test_the_verbs_of_a_survey_are_listed(shell: Shell) -> None:
    assert "survey make" in shell("survey")
    assert "survey analyse" in shell("survey", "--help")
    assert "NAME=FOLDER" in shell("help", "survey", "make")
