"""The latent space in words, pictures and on pages."""

import re
from pathlib import Path

import pytest
import torch

from browser import opened
from shell import Shell
from timbrespace.instrument import Instrument
from timbrespace.report.latents.section import latent_view
from timbrespace.report.latents.words import can_print_sketches
from timbrespace.report.results import Results, write_results
from tiny import Tiny


def test_info_prints_sentences_and_a_table(shell: Shell, tiny: Tiny) -> None:
    text = shell("info", tiny.file, "--space")
    assert "of 6 dimensions are used" in text
    assert "Burda et al. 2016" in text
    assert re.search(r"dimension +mean +deviation +with noise +KL nats +from prior +categories", text)
    assert len([line for line in text.splitlines() if re.match(r" +\d+ +-?\d+\.\d+", line)]) == 6


def test_json_has_every_figure(shell: Shell, tiny: Tiny) -> None:
    values = shell.json("info", tiny.file, "--space")
    assert values["dims"] == 6
    assert len(values["dimensions"]["kl_nats"]) == 6
    card = Instrument.load(tiny.file).card["training"]
    assert values["dimensions"]["kl_nats"] == pytest.approx(card["kl_per_dimension"])
    assert values["active_units"] == card["active_units"]
    assert sum(values["histograms"]["counts"][0]) == values["sounds"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_written_once(shell: Shell, tiny: Tiny, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"space.{suffix}"
    assert str(out) in shell("info", tiny.file, "--space", "--picture", out)
    first = out.read_bytes()
    assert "--force" in shell("info", tiny.file, "--space", "--picture", out, code=2)
    shell("info", tiny.file, "--space", "--picture", out, "--force")
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--picture", "a.png"], "without --space"),
        (["--space", "--picture", "a.pdf"], "must end in .png or .svg"),
        (["--space", "--sounds"], "leave one of them out"),
        (["--space", "--strip", "a.safetensors"], "leave one of them out"),
    ],
)
def test_wrong_options_are_named(
    shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in shell("info", tiny.file, *options, code=2)
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_results_has_a_fold_with_charts(instrument: Instrument, tmp_path: Path) -> None:
    sounds = instrument.generate(2)
    for sound in sounds:
        sound.save(tmp_path)
    page = write_results(Results("t", "a", instrument, sounds, sounds_folder=""), tmp_path)
    with opened(page, width=390, height=800, scheme="dark") as tab:
        fold = tab.locator("details.latents")
        assert not fold.locator("svg").first.is_visible()
        fold.locator("summary").click()
        assert fold.locator("svg").count() == 3
        assert "dimensions are used" in fold.text_content()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_charts_take_the_colours_of_the_page(instrument: Instrument) -> None:
    for chart in latent_view(instrument.statistics()).charts:
        assert "var(--c0)" in chart.svg or "var(--ink)" in chart.svg or "var(--soft)" in chart.svg
        assert not re.search(r"#0000[ab][0-9a-f]", chart.svg)


def test_one_dimension_has_a_view_too(instrument: Instrument) -> None:
    from dataclasses import replace

    statistics = instrument.statistics()
    assert statistics.kl is not None
    narrow = replace(
        statistics, points=statistics.points[:, :1], inferred=1, kl=statistics.kl[:1], used=statistics.used[:1],
        variance=statistics.variance[:1],
        noise=None, correlated=(0,), correlations=torch.ones(1, 1), share=statistics.share[:1],
    )  # fmt: skip
    assert len(latent_view(narrow).charts) == 1


def test_terminals_without_block_characters_get_none() -> None:
    assert can_print_sketches("utf-8")
    assert not can_print_sketches("latin-1")
    assert not can_print_sketches(None)
    assert not can_print_sketches("no such encoding")
