"""Making a survey of real sounds and an instrument, and reading its answers back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from survey_answers import answers_of
from timbrespace.audio.loudness import momentary_loudness
from timbrespace.contracts import AudioFileError, ConfigError
from timbrespace.evaluation.survey.analysis import analyse
from timbrespace.evaluation.survey.answers import listener_of, read_answers
from timbrespace.evaluation.survey.make import SurveyOptions, make_survey, write_survey
from timbrespace.evaluation.survey.stimuli import PEAK, RATE, Stimulus, beeps, cross_fades, equally_loud
from timbrespace.evaluation.survey.survey import Survey, read_survey
from timbrespace.report.survey_page import render_survey_page
from tiny import Tiny

OPTIONS = SurveyOptions("Drums <& hats>", sounds=4, morphs=2, steps=3, listeners=5, items=10, repeats=1, seed=3)


@pytest.fixture(scope="module")
def made(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Survey, dict[str, Stimulus]]:
    """A survey of the tiny instrument and the drums that it learned from."""
    folder = tmp_path_factory.mktemp("survey") / "survey"
    survey, sounds = make_survey({"real": tiny.folder, "new": tiny.file}, OPTIONS)
    write_survey(survey, sounds, folder, render_survey_page(survey))
    return folder, survey, sounds


def test_the_folder_for_listeners_tells_nothing(made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    folder, survey, _ = made
    page = (folder / "public" / "index.html").read_text(encoding="utf-8")
    for item in survey.items.values():
        assert not item.source or item.source not in page
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert not {"condition", "source", "accepted", "category"} & set(json.dumps(data).replace('"', " ").split())
    assert "Drums &lt;&amp; hats&gt;" in page
    files = sorted(path.name for path in (folder / "public" / "sounds").iterdir())
    assert files == sorted(f"{name}.wav" for name in survey.items)
    assert {soundfile.info(folder / "public" / "sounds" / file).samplerate for file in files} == {RATE}


def test_sounds_are_equally_loud_and_none_clips(made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    folder, survey, _ = made
    for name in survey.items:
        audio, rate = soundfile.read(folder / "public" / "sounds" / f"{name}.wav", always_2d=True, dtype="float32")
        assert np.abs(audio).max() <= PEAK + 1e-3
        assert momentary_loudness(torch.from_numpy(audio.T.copy()), rate) == pytest.approx(survey.loudness, abs=0.15)


def test_a_click_does_not_make_everything_quiet() -> None:
    click, skipped = torch.zeros(1, RATE), []  # type: ignore[var-annotated]
    click[0, 0] = 1.0
    stimuli = [beeps(2), Stimulus("single", "a", click, source="click.wav")]
    kept, loudness = equally_loud(stimuli, skipped=skipped)
    assert [one.source for one in kept] == ["2 beeps"]
    assert loudness == -20
    assert skipped[0][0] == "click.wav"


def test_a_survey_is_read_back(made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    folder, survey, _ = made
    assert read_survey(folder) == survey
    assert survey.conditions == ["cross-fade", "new", "real"]


def test_the_same_seed_gives_the_same_survey(tiny: Tiny, made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    again, sounds = make_survey({"real": tiny.folder, "new": tiny.file}, OPTIONS)
    assert again == made[1]
    for name, sound in sounds.items():
        assert torch.equal(sound.audio, made[2][name].audio)


def test_cross_fades_begin_and_end_with_the_sounds() -> None:
    a, b = (Stimulus("single", "real", torch.full((1, 100), level), name, name, (name,)) for level, name in ((0.5, "x"), (0.25, "y")))
    (fade,) = cross_fades([(a, b)], steps=3)
    assert fade.accepted == ("x", "y")
    gap = round(0.08 * RATE)
    assert fade.audio.shape == (1, 300 + 2 * gap)
    assert bool((fade.audio[0, :100] == 1).all())
    assert bool((fade.audio[0, 100 : 100 + gap] == 0).all())


def test_answers_are_analysed(made: tuple[Path, Survey, dict[str, Stimulus]], tmp_path: Path) -> None:
    folder, survey, _ = made
    pytest.importorskip("scikit_posthocs")
    likes = {"real": 5, "new": 3, "cross-fade": 1, "": 3}
    for plan in range(5):
        (tmp_path / f"answers-{plan}.json").write_text(json.dumps(answers_of(survey, plan, likes=likes)))
    (tmp_path / "answers-x.json").write_text(json.dumps(answers_of(survey, 0, likes=likes, session="deaf0000", beeps_right=False)))
    (tmp_path / "answers-again.json").write_text(json.dumps(answers_of(survey, 0, likes=likes)))
    (tmp_path / "other.json").write_text("{}")
    found = analyse(folder, tmp_path)
    assert found.listeners == 5
    assert found.failed == [("deaf0000", 3)]
    assert dict(found.left_out) == {"other.json": "it is not a file of answers", "answers-again.json": "the same session as answers-0.json"}
    assert found.steadiness == 1
    quality = next(one for one in found.rated if one.kind == "single" and one.question == "quality")
    assert {name: group.mean for name, group in quality.comparison.groups.items()} == {"real": 5, "new": 3}
    smooth = next(one for one in found.rated if one.question == "smoothness")
    assert {name: group.mean for name, group in smooth.comparison.groups.items()} == {"new": 3, "cross-fade": 1}
    assert all(hits == total for one in found.recognised for hits, total in one.recognition.right.values())
    assert analyse(folder, tmp_path, keep_all=True).listeners == 6


def test_an_unfinished_listener_counts_as_far_as_it_goes(made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    survey = made[1]
    values = answers_of(survey, 1, likes={"real": 4, "new": 3, "cross-fade": 1, "": 3})
    values["answers"] = values["answers"][:4]
    assert len(listener_of(survey, values).answers) == 3  # the first is a check


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"survey": "other"}, "another survey"),
        ({"session": "../../x"}, "session has no name"),
        ({"plan": 99}, "allowed is 0 to 4"),
        ({"plan": True}, "allowed is 0 to 4"),
        ({"answers": []}, "no answers"),
        ({"answers": [{"item": "no", "values": {}}]}, "no sound of the survey"),
        ({"answers": "text"}, "not a file of answers"),
    ],
)
def test_hostile_answers_are_refused(made: tuple[Path, Survey, dict[str, Stimulus]], change: dict[str, Any], message: str) -> None:
    survey = made[1]
    with pytest.raises(ConfigError, match=message):
        listener_of(survey, {**answers_of(survey, 0, likes={"real": 4, "new": 3, "cross-fade": 1, "": 3}), **change})


@pytest.mark.parametrize("value", [0, 6, 3.5, True, "3", None, [3]])
def test_a_rating_must_be_one_of_five(made: tuple[Path, Survey, dict[str, Stimulus]], value: object) -> None:
    survey = made[1]
    values = answers_of(survey, 0, likes={"real": 4, "new": 3, "cross-fade": 1, "": 3})
    values["answers"][1]["values"]["quality"] = value
    with pytest.raises(ConfigError, match="not possible"):
        listener_of(survey, values)


def test_answers_in_another_order_are_refused(made: tuple[Path, Survey, dict[str, Stimulus]]) -> None:
    survey = made[1]
    values = answers_of(survey, 0, likes={"real": 4, "new": 3, "cross-fade": 1, "": 3})
    values["answers"].reverse()
    with pytest.raises(ConfigError, match="order"):
        listener_of(survey, values)


def test_a_folder_without_answers_is_explained(made: tuple[Path, Survey, dict[str, Stimulus]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="answers-"):
        read_answers(made[1], tmp_path / "nowhere")


def test_what_can_not_be_compared_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for sources, message in (
        ({"a": tiny.file}, "two conditions"),
        ({"a": tiny.file, "b": tmp_path / "nowhere"}, "no such file"),
        ({"a": tiny.file, "../b": tiny.file}, "allowed are letters"),
        ({"a": tiny.file, "cross-fade": tiny.file}, "allowed are letters"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_survey(sources, OPTIONS)
    with pytest.raises(ConfigError, match="one instrument and one folder"):
        make_survey({"a": tiny.file, "b": tiny.file}, OPTIONS)
    with pytest.raises(AudioFileError, match="no sound"):
        make_survey({"a": tmp_path / "empty", "b": tiny.file}, OPTIONS)
    with pytest.raises(ConfigError, match="sounds is 1, allowed is 2 to 200"):
        SurveyOptions(sounds=1)
    silent = tmp_path / "silent"
    silent.mkdir()
    soundfile.write(silent / "a.wav", np.zeros(1000), 44_100)
    soundfile.write(silent / "long.wav", 0.1 * np.ones(13 * 8000), 8000)
    soundfile.write(silent / "b.wav", 0.1 * np.sin(np.arange(9000)), 44_100)
    survey, _ = make_survey({"a": silent, "b": tiny.file}, SurveyOptions(sounds=3))
    assert sorted(survey.skipped) == [("a.wav", "it is silent"), ("long.wav", "it is 13.0 s long, allowed are 12 s")]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "timbrespace survey"}', '{"format": "timbrespace survey", "version": 1}', "[" * 100_000]
)
def test_a_damaged_survey_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "survey.json").write_text(text)
    with pytest.raises(ConfigError):
        read_survey(tmp_path)
