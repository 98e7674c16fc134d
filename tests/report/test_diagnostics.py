"""The page of a training: its charts, that it needs no other file, and that its snapshots do not change the training."""

from __future__ import annotations

import base64
import io
import math
import re
from pathlib import Path

import pytest
import soundfile
import torch
from test_results_page import HOSTILE, Reader

from shell import Shell
from timbrespace.cli.common.page import TrainingPage
from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.report.charts import Chart, Line, bar_chart, box_chart, line_chart
from timbrespace.report.diagnostics import diagnose, write_diagnostics
from timbrespace.report.diagnostics_page import Comparison, Diagnostics, LabelledAudio, render_diagnostics
from tiny import Tiny, assert_same_tensors, fix_plan, quick_train


def points(chart: Chart) -> list[tuple[float, float]]:
    """The points of the line that has colour 0, in SVG units."""
    path = re.search(r'<path d="([^"]*)"[^>]*stroke: var\(--c0\)', chart.svg)
    assert path
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path[1])]


def test_a_line_has_its_points_at_its_values() -> None:
    (x0, y0), (x1, y1), (x2, y2) = points(line_chart("Error", [Line("a", [0, 50, 100], [2.0, 1.0, 0.5], 0)], unit="dB"))
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.1)
    assert y1 - y0 == pytest.approx(2 * (y2 - y1), abs=0.1), "a linear axis"
    (_, y0), (_, y1), (_, y2) = points(line_chart("Error", [Line("a", [0, 50, 100], [100.0, 10.0, 1.0], 0)], unit="dB"))
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.1), "a logarithmic axis"
    assert len(points(line_chart("Error", [Line("a", [0, 1, 2], [1.0, math.nan, 3.0], 0)], unit="dB"))) == 2


def test_a_box_is_drawn_at_its_quartiles() -> None:
    svg = box_chart("By category", {"kick": [0.0, 1.0, 2.0, 3.0, 4.0, 40.0], "none": []}, unit="dB").svg
    ticks = {float(text): float(x) for x, text in re.findall(r'text-anchor: middle[^>]* x="([\d.]+)"[^>]*>(\d+)</text>', svg)}
    zero, unit = ticks[0], (ticks[40] - ticks[0]) / 40
    box = re.search(r'<path d="([^"]*)"[^>]*fill: var\(--c0\); fill-opacity', svg)
    median = re.search(r'<path d="M ([\d.]+)[^"]*"[^>]*stroke: var\(--ink\)', svg)
    beyond = re.search(r'<use [^>]*x="([\d.]+)"', svg)
    assert box
    assert median
    assert beyond
    left, *_, right = sorted(float(x) for x in re.findall(r"[ML] ([\d.]+)", box[1]))
    assert (left - zero) / unit == pytest.approx(1.25, abs=0.05)
    assert (right - zero) / unit == pytest.approx(3.75, abs=0.05)
    assert (float(median[1]) - zero) / unit == pytest.approx(2.5, abs=0.05)
    assert (float(beyond[1]) - zero) / unit == pytest.approx(40, abs=0.05)
    assert ">kick (6)<" in svg
    assert "<title>kick: median 2.5 dB</title>" in svg


def test_bars_below_the_level_are_grey() -> None:
    svg = bar_chart("KL", [3.0, 1.5, 0.001], unit="nats", level=(0.01, "0.01 nats or more")).svg
    bars = re.findall(r'<title>([^<]*)</title>\s*<path d="([^"]*)"[^>]*fill: var\(--c(\d+)\)', svg)
    assert [(title, colour) for title, _, colour in bars] == [("1: 3 nats", "0"), ("2: 1.5 nats", "0"), ("3: 0.001 nats", "12")]
    heights = [max(ys) - min(ys) for _, path, _ in bars if (ys := [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path)])]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.1)


def test_charts_of_a_page_share_no_id_and_follow_its_theme() -> None:
    charts = [line_chart(title, [Line("a", [0, 1], [1.0, 2.0], 0)], unit="dB") for title in ("A", "B")]
    ids = [name for chart in charts for name in set(re.findall(r' id="([^"]*)"', chart.svg))]
    assert all(re.fullmatch(r"[mp][0-9a-f]{10}", name) for name in ids), "only clip paths and markers, named by their content"
    assert not re.search(r"#[0-9a-f]{6}|<style", charts[0].svg), "no colour but the page's variables, no rule for the whole page"
    assert charts[0].svg == line_chart("A", [Line("a", [0, 1], [1.0, 2.0], 0)], unit="dB").svg


@pytest.fixture(scope="module")
def page(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tiny instrument, trained once more with a page asked for."""
    folder = tmp_path_factory.mktemp("page")
    training_page = TrainingPage(folder / "tiny.html", force=False)
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch)
        quick_train(Corpus.open(tiny.corpus), folder / "again.safetensors", callbacks=training_page.callbacks(lambda progress: None))
    return training_page.path


def test_snapshots_do_not_change_the_training(page: Path, tiny: Tiny, quick_file: Path) -> None:
    assert_same_tensors(page.with_name("again.safetensors"), quick_file)


def test_the_page_needs_no_other_file_and_has_every_section(page: Path, tiny: Tiny) -> None:
    text = page.read_text(encoding="utf-8")
    read = Reader(text)
    sources = [value for _, attributes in read.elements for name, value in attributes.items() if name in ("src", "href", "data-src")]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "http:" not in text
    assert "https:" not in text
    text_on_page = " ".join(read.text)
    for words in (
        "Learning curves",
        "Overfit ratio",
        "KL by dimension",
        "By category",
        "Reconstructions of validation sounds",
        "Worst sounds",
        "at step",
    ):
        assert words in text_on_page
    corpus = Corpus.open(tiny.corpus)
    held = corpus.indices("validation") + corpus.indices("test")
    worst = text[text.index('id="h-worst"') :]
    errors = [float(value) for value in re.findall(r"<span>([\d.]+) dB</span>", worst)]
    assert len(errors) == min(10, len(held))
    assert errors == sorted(errors, reverse=True)


def test_the_sounds_are_those_of_the_corpus(page: Path, tiny: Tiny) -> None:
    text = page.read_text(encoding="utf-8")
    corpus = Corpus.open(tiny.corpus)
    clip = corpus.indices("validation")[0]
    found = re.search(
        rf'data-src="data:audio/flac;base64,([^"]+)"[^>]*aria-label="Play {re.escape(corpus.clips[clip].name)}, original"', text
    )
    assert found
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="float32", always_2d=True)
    assert rate == corpus.sample_rate
    assert torch.allclose(torch.from_numpy(audio.T), corpus.audio(clip), atol=1e-4)


def test_hostile_names_stay_text() -> None:
    sound = 0.1 * torch.randn(1, 3000, generator=torch.Generator().manual_seed(0))
    shown = [Comparison(HOSTILE, 3.0, [LabelledAudio("original", sound), LabelledAudio(HOSTILE, sound)])]
    training = {"unit": HOSTILE, "curve": {"step": [10], "train": [1.0], "validation": [None], "kl": [0.0]}, "best_step": 10}
    errors = {HOSTILE: {HOSTILE: [1.0], f"$x^2$ {HOSTILE}": [2.0]}}
    card = {"training": training, "expect": HOSTILE}
    page = Diagnostics(HOSTILE, card, "dB", 44_100, "held-out", errors=errors, reconstructions=shown, worst=shown)
    text = render_diagnostics(page)
    read = Reader(text)
    assert "</script><script>alert(1)" in "".join(read.text), "shown as text"
    assert "\u202e" not in text
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert sum(tag == "script" for tag, _ in read.elements) == 3


def test_two_stages_have_a_chart_each() -> None:
    curve = {"step": [10, 20, 30, 40], "train": [9, 8, 50, 40], "validation": [9, 8, 60, 55], "kl": [0, 0, 4, 5], "stage": [1, 1, 2, 2]}
    text = render_diagnostics(Diagnostics("x", {"training": {"unit": "%", "curve": curve, "overfit_ratio": 1.4}}, "%", 44_100, "held-out"))
    assert text.count("<figcaption>Error, stage") == 2
    assert "of the codes" in text
    assert "over 1.14" in text


def test_factors_of_a_toy_corpus_have_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = prepare("synthetic:fm", tmp_path / "fm", count=40)
    fix_plan(monkeypatch, variations=0)
    small = ("model.encoder=[8]", "model.decoder=[8]", "model.dims=3", "training.batch=8")
    instrument = quick_train(corpus, tmp_path / "x.safetensors", preset="dense", changes=small, steps_minutes=0.002)
    found = diagnose(instrument, corpus)
    assert {"detune", "q", "frequency"} & set(found.errors)
    held = len(corpus.indices("validation") + corpus.indices("test"))
    assert all(sum(map(len, groups.values())) == held for groups in found.errors.values())
    assert [one.error for one in found.worst] == sorted((one.error for one in found.worst), reverse=True)


def test_an_existing_page_is_replaced_only_with_force(tiny: Tiny, tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "there.html"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputExistsError):
        write_diagnostics(Instrument.load(tiny.file), Corpus.open(tiny.corpus), out)
    with pytest.raises(ConfigError, match=r"\.html"):
        TrainingPage(tmp_path / "page.txt", force=False)
    errors = shell("train", tiny.corpus, "--out", tmp_path / "x.safetensors", "--page", out, "--minutes", "0.01", code=2)
    assert "there.html" in errors
    assert out.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "x.safetensors").exists()
