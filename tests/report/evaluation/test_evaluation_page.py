"""The words, tables and page of an evaluation; the page in Chromium, light, dark and on a telephone."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from browser import opened
from shell import Shell
from timbrespace.evaluation import evaluate as module
from timbrespace.evaluation.evaluate import Evaluation, evaluate
from timbrespace.evaluation.parts.budget import Budget
from timbrespace.report.evaluation import tables
from timbrespace.report.evaluation.page import render_evaluation, write_evaluation
from timbrespace.report.evaluation.words import unmeasured, words
from tiny import Tiny, write_drums

SMALL = Budget(
    real=40, new=10, imitated=4, trained=2, learned=12, pairs=1, steps=5, encoded=14, factors=60, timed=1, draws=4, permutations=20,
    resamples=50,
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The tiny instrument twice, under two names, on new drums."""
    place = tmp_path_factory.mktemp("evaluation")
    (place / "<b>other.safetensors").write_bytes(tiny.file.read_bytes())
    folder = write_drums(place / "fresh", 18, seed=7)
    (folder / "<i>broken.wav").write_bytes(b"no sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", SMALL)
        return evaluate([tiny.file, place / "<b>other.safetensors"], folder, quick=True, training=tiny.corpus)


def line(one: dict[str, Any], about: str) -> tuple[str, str, str]:
    found = next(verdict for verdict in words(one) if verdict.about == about)
    return found.word, found.text, found.tone


def changed(found: Evaluation, **parts: Any) -> dict[str, Any]:
    one = copy.deepcopy(found.values["instruments"][0])
    for path, value in parts.items():
        *places, last = path.split("__")
        inside = one
        for place in places:
            inside = inside[place]
        inside[last] = value
    return one


def test_every_line_has_words(found: Evaluation) -> None:
    lines = words(found.values["instruments"][0])
    abouts = [one.about for one in lines]
    assert abouts[:3] == ["These sounds", "Imitations of sounds it did not learn", "New sounds"]
    assert {"New beside real ones", "Variety", "Highs and lows", "Morphs", "Latent space", "Speed"} <= set(abouts)
    assert len(abouts) == len(set(abouts))
    for one in lines:
        assert one.tone in ("", "good", "fair", "poor")
        assert one.text


def test_words_follow_the_figures(found: Evaluation) -> None:
    likeness = "likeness__accuracy"
    assert line(changed(found, **{likeness: 0.55}), "New beside real ones")[0] == "hardly separable"
    assert line(changed(found, **{likeness: 0.7}), "New beside real ones")[2] == "fair"
    word, text, tone = line(changed(found, **{likeness: 0.95}), "New beside real ones")
    assert (word, tone) == ("separable", "poor")
    assert "95 of 100" in text
    narrow = changed(found, likeness__effective_number=2.0, likeness__real_effective_number=8.0)
    assert line(narrow, "Variety")[::2] == ("narrow", "poor")
    assert line(changed(found, morphs__morph__evenness=3.0, morphs__cross_fade__evenness=2.0), "Morphs")[::2] == ("with jumps", "fair")
    assert line(changed(found, morphs__morph__evenness=3.0, morphs__cross_fade__evenness=4.0), "Morphs")[0] == "with larger steps"
    assert line(changed(found, morphs__morph__evenness=1.2), "Morphs")[::2] == ("even", "good")
    lost = changed(found)
    for band in lost["imitation"]["bands"]["instrument"].values():
        band |= {"median_change_db": 0.5, "sounds": 4}
    assert line(lost, "Highs and lows")[::2] == ("kept", "good")
    lost["imitation"]["bands"]["instrument"]["air"]["median_change_db"] = -14.0
    word, text, tone = line(lost, "Highs and lows")
    assert (word, tone) == ("air lost", "poor")
    assert "above 16 kHz is 14 dB weaker" in text


def test_artefacts_are_faults_in_one_direction_only(found: Evaluation) -> None:
    one = changed(found)
    for key, metric in one["artefacts"].items():
        metric["off"] = None if key == "variety" else 0.1
    assert line(one, "Faults")[::2] == ("none stand out", "good")
    one["artefacts"]["highs_db"]["off"] = -1.5
    assert line(one, "Faults")[::2] == ("duller", "poor")
    one["artefacts"]["highs_db"]["off"] = 1.5
    assert line(one, "Different")[::2] == ("brighter", "")
    one["artefacts"]["click_percent"]["off"] = 0.8
    assert line(one, "Faults")[::2] == ("clicks at the ends", "fair")


def test_learned_sounds_are_said_in_red(found: Evaluation) -> None:
    one = changed(found, sounds__measured_on="trained", sounds__trained=18, sounds__new=0)
    word, text, tone = line(one, "These sounds")
    assert (word, tone) == ("known to it", "poor")
    assert "better than they would be" in text
    assert line(one, "Imitations of sounds it did not learn")[0] == "not measured"


def test_what_was_not_measured_says_why(found: Evaluation) -> None:
    one = changed(found, likeness={"not_measured": "too few"}, imitation__missing_rows={"plain PCA": "gone"})
    reasons = unmeasured(one)
    assert reasons["Likeness to real sounds"] == "too few"
    assert reasons["Control row “plain PCA”"] == "gone"
    assert "keeps no phase" in reasons["SI-SDR"]
    assert tables.likeness_table(one) is None
    cell = next(row.cells[0] for row in tables.side_by_side({"instruments": [one], "sounds": {}}).rows if row.name.startswith("log-mel"))
    assert re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)", cell)


def test_si_sdr_is_shown_only_where_it_means_something(found: Evaluation) -> None:
    one = changed(found)
    hidden, shown = tables.error_table(one), tables.error_table(changed(found, imitation__si_sdr={"meaningful": True, "reason": None}))
    assert hidden is not None
    assert shown is not None
    assert len(shown.columns) == len(hidden.columns) + 1


def test_instruments_side_by_side(found: Evaluation) -> None:
    table = tables.side_by_side(found.values)
    assert table.columns == ["tiny", "<b>other", "best"]
    for row in table.rows:
        assert len(row.cells) == 3
        if row.name not in ("one new sound", "encoding a sound"):
            assert row.cells[0] == row.cells[1], row.name  # the same instrument
    assert "that none of the instruments learned" in table.note
    lines = tables.text_lines(table)
    assert len({len(text) for text in lines}) == 1


def test_names_are_escaped_and_nothing_is_loaded(found: Evaluation) -> None:
    page = render_evaluation(found)
    assert "<b>other" not in page
    assert "<i>broken" not in page
    assert "&lt;b&gt;other" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (1100, "dark"), (390, "light")])
def test_the_page_opens_without_complaint(found: Evaluation, tmp_path: Path, width: int, scheme: str) -> None:
    path = write_evaluation(found, tmp_path / "x.html")
    with opened(path, width=width, scheme=scheme) as tab:
        assert tab.locator("h1").inner_text() == "tiny and <b>other"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.locator(".verdicts").count() == 2
        assert tab.locator("button.play").count() >= 12
        tab.locator("button.play").first.click()
        tab.wait_for_function("document.querySelector('.play.playing') || document.querySelector('.play[aria-pressed=false]')")
        assert tab.locator(".trouble").inner_text() == ""


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command(shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUICK", SMALL)
    folder = write_drums(tmp_path / "fresh", 9, seed=7)
    (folder / "broken.wav").write_bytes(b"no sound")
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    text = shell("evaluate", tiny.file, folder, "--quick", "--out", page, "--data", data)
    assert "9 sounds of fresh" in text
    assert "skipped broken.wav" in text
    assert "New sounds:" in text
    assert "log-mel error (dB)" in text
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    values = shell.json("evaluate", tiny.file, folder, "--quick", "-n", 0)
    assert values["instruments"][0]["novelty"] == {"not_measured": "no new sounds were asked for"}
    assert values["instruments"][0]["in_words"][0]["about"] == "These sounds"
    assert "exists" in shell("evaluate", tiny.file, folder, "--quick", "--out", page, code=2)


def test_commands_that_cannot_work(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    for words_, message in (
        ((tiny.file,), "then a folder of sounds"),
        ((tiny.folder, tiny.file), "the folder of sounds, or a corpus, comes last"),
        ((tiny.file, tmp_path / "gone"), "does not exist"),
        ((tiny.file, tiny.folder, "--out", tmp_path / "x.pdf"), "must end in .html"),
        ((tiny.file, tiny.folder, "--data", tmp_path / "x.html"), "must end in .json"),
        ((tiny.file, tiny.folder, "x.json"), "write the page with --out, the figures with --data"),
        ((tiny.sound, tiny.folder), "not an instrument file"),
    ):
        assert message in shell("evaluate", *words_, code=2), message
