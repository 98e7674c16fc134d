"""The card in words: its words follow from the control rows of the same card, and every figure is explained."""

from __future__ import annotations

import math
from typing import Any

import pytest

from timbrespace.evaluation.reconstruction import MEASURES
from timbrespace.report.card import COLUMNS, ROWS, card_view
from timbrespace.report.results_page import ResultsPage, render_results_page
from timbrespace.report.verdicts import CLOSE, FRESH, Limits, limits_of, novelty_word, verdicts
from timbrespace.synthesis.novelty import COPY, UNLIKE
from timbrespace.training.history import OVERFIT_LIMIT


def card(error: float = 3.0, *, least: float = 1.0, nearest: float = 7.0, silence: float = 20.0, **more: Any) -> dict[str, Any]:
    """A card with these errors; more: changes of its parts."""
    values = {"instrument": error, "true features": least, "nearest training sound": nearest, "silence": silence}
    rows = {name: dict.fromkeys(MEASURES, value) for name, value in values.items()}
    parts: dict[str, Any] = {
        "corpus": {"clips": 120, "minutes": 2.5, "skipped": 1, "categories": {"kick": 80, "snare": 40}},
        "training": {"overfit_ratio": 1.05, "steps": 10, "images": 500, "seconds": {"train": 60.0}, "validation_error": 4.0, "unit": "dB"},
        "reconstruction": {"on": "test", "sounds": 12, "rows": rows},
        "new_sounds": {"sounds": 32, "copies": 0, "novelty_median": 1.1, "times_real_time": 9.0},
        "expect": "120 sounds: good variety",
    }
    return {name: part | more.get(name, {}) if isinstance(part, dict) else part for name, part in parts.items()}


def word(about: str, given: dict[str, Any]) -> str:
    return next(line.word for line in verdicts(given) if line.about == about)


def text(about: str, given: dict[str, Any]) -> str:
    return next(line.text for line in verdicts(given) if line.about == about)


IMITATIONS = "Imitations of sounds it did not learn"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, "close"), (CLOSE, "close"), (CLOSE + 0.01, "fair"), (0.99, "fair"), (1.0, "far"), (3.0, "far")]
)
@pytest.mark.parametrize(("least", "nearest"), [(0.5, 7.5), (1.0, 19.0), (0.0, 2.0)])
def test_close_fair_and_far_follow_from_the_controls_of_the_card(share: float, expected: str, least: float, nearest: float) -> None:
    error = least + share * (nearest - least)
    assert word(IMITATIONS, card(error, least=least, nearest=nearest, silence=60.0)) == expected


def test_the_measured_tables_fall_where_the_words_say() -> None:
    """Errors of docs/benchmarks/end-to-end.md: drums of unseen kits, and of held-out files."""
    for limits, instrument, plain_pca in ((Limits(0.44, 7.48, 15.73), 3.34, 4.63), (Limits(0.50, 6.50, 19.98), 3.47, 4.26)):
        assert limits.word(instrument) == "close"
        assert limits.word(plain_pca) == "fair"
        assert limits.word(limits.nearest) == limits.word(limits.silence) == "far"


def test_silence_is_never_fair() -> None:
    assert Limits(0.5, 30.0, 10.0).word(12.0) == "far", "no nearer than silence, although nearer than other sounds"
    assert Limits(9.0, 5.0, 20.0).word(9.5) == "far", "a view that loses more than the nearest sound misses"
    assert Limits(0.5, 7.0, 20.0).word(math.nan) == "far"
    assert "than silence" in text(IMITATIONS, card(25.0))


def test_what_cannot_be_judged_is_said() -> None:
    rows = card()["reconstruction"]["rows"]
    assert word(IMITATIONS, card(reconstruction={"on": "train"})) == "not measured"
    repeats = card(reconstruction={"repeats": 6})
    assert word(IMITATIONS, repeats) == "cannot be judged"
    assert "6 of the 12 test sounds repeat a training sound" in text(IMITATIONS, repeats)
    assert word(IMITATIONS, card(reconstruction={"repeats": 5})) == "close"
    without = card(reconstruction={"rows": {name: rows[name] for name in ("instrument", "silence")}})
    assert word(IMITATIONS, without) == "cannot be judged"
    assert limits_of(without) is None
    assert "on 3 sounds only" in text(IMITATIONS, card(reconstruction={"sounds": 3}))
    assert "only" not in text(IMITATIONS, card())


@pytest.mark.parametrize(
    ("novelty", "expected"),
    [(0.0, "copy"), (COPY - 0.01, "copy"), (COPY, "familiar"), (FRESH, "fresh"), (1.0, "fresh"), (UNLIKE + 0.1, "far out")],
)
def test_new_sounds_in_a_word(novelty: float, expected: str) -> None:
    assert novelty_word(novelty) == expected
    assert novelty_word(None) == ""
    assert novelty_word(None, is_copy=True) == "copy"
    assert word("New sounds", card(new_sounds={"novelty_median": novelty})) == ("copies" if expected == "copy" else expected)


def test_copies_are_counted_in_words() -> None:
    assert "none of 32 is a copy of one of your sounds" in text("New sounds", card())
    assert "1 of 32 is a copy" in text("New sounds", card(new_sounds={"copies": 1}))
    assert word("New sounds", card(new_sounds={"copies": 16})) == "copies"
    unknown = card(new_sounds={"novelty_median": None, "novelty_reason": "too few different sounds"})
    assert word("New sounds", unknown) == "not known"
    assert "too few different sounds" in text("New sounds", unknown)


def test_learning_in_a_word() -> None:
    assert word("Learning", card(training={"overfit_ratio": OVERFIT_LIMIT})) == "balanced"
    assert word("Learning", card(training={"overfit_ratio": OVERFIT_LIMIT + 0.01})) == "leans on its own sounds"


def test_every_column_and_row_is_explained_on_the_page() -> None:
    assert [column.key for column in COLUMNS] == list(MEASURES)
    page = render_results_page(ResultsPage("x", card=card_view(card())))
    for column in COLUMNS:
        assert f"<dd>{column.meaning}</dd>" in page
    for name in ("instrument", "true features", "nearest training sound", "silence"):
        assert f"<dd>{ROWS[name]}</dd>" in page
    assert page.index(">close<") < page.index("The figures"), "words first"
    assert " title=" not in page, "nothing is said only on hover"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"training": 3, "reconstruction": [], "new_sounds": "x", "corpus": None},
        {"reconstruction": {"rows": {"instrument": {"log_mel_db": "x", "other": 1}}}},
        {"new_sounds": {"sounds": 0, "copies": 0}},
        {"training": {"overfit_ratio": math.nan, "seconds": 3}},
    ],
)
def test_a_card_of_another_version_does_no_harm(given: dict[str, Any]) -> None:
    view = card_view(given)
    render_results_page(ResultsPage("x", card=view))
    assert all(isinstance(line.text, str) for line in view.words)
