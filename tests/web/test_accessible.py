"""Accessibility by the rules of axe-core, which the package axe-playwright-python brings along; nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from served_answers import Answers, served, tab_of

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page

READY = 'body[data-ready="true"]'
WIDTHS = (390, 820, 1440)
# Every rule, those of best practice too, but those that are still experiments.
_RUN = """async () => {
  await Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished));
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const place = ({ html, failureSummary }) => html.slice(0, 120) + failureSummary;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ` + nodes.slice(0, 3).map(place).join(" | "));
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return Path(package.__path__[0], "axe.min.js").read_text(encoding="utf-8")


def violations(tab: Any, axe: str) -> list[str]:
    """What axe-core finds at each width in both themes."""
    tab.emulate_media(reduced_motion="reduce")  # no colour between two others
    tab.evaluate(axe)
    found = []
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        for _ in range(2):
            tab.click("#theme")
            theme = tab.locator("html").get_attribute("data-theme")
            found += [f"{width} {theme} {one}" for one in tab.evaluate(_RUN)]
    return found


def test_a_page_of_drums_breaks_no_rule(instrument: Instrument, axe: str, tmp_path: Path) -> None:
    """With a beat, a favourite, a locked and a muted pad, which have colours of their own."""
    with browser.opened(write_page(tmp_path / "drums.html", instrument, title="Drums")) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        for button in ("#pad-keep", "#pad-locked", "#pad-mute", "#euclid"):
            tab.click(button)
        tab.locator('.cell[data-lane="0"][data-step="1"]').click()
        tab.select_option("#paint", "ratchet")
        tab.locator('.cell[data-lane="0"][data-step="1"]').click()
        assert violations(tab, axe) == []


def test_a_page_of_notes_breaks_no_rule(notes: Instrument, axe: str, tmp_path: Path) -> None:
    with browser.opened(write_page(tmp_path / "notes.html", notes, title="Notes")) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        assert violations(tab, axe) == []


def test_a_served_page_breaks_no_rule(instrument: Instrument, axe: str) -> None:
    """With words that were understood and not, neighbours, a sound of the user's, work that goes on, and a fault."""
    assert instrument.contents.clips is not None
    z = instrument.contents.clips.latents[2].tolist()
    answers = Answers(served(instrument))
    answers.given["prompt"] = (
        200,
        {"sounds": [{"z": z, "category": 0, "seed": "1"}], "understood": "short: shorter", "unknown": ["dusty"]},
    )
    answers.given["neighbours"] = (200, {"neighbours": [{"point": k, "distance": k} for k in range(8)]})
    answers.given |= {"encode": (202, {"job": "e1"}), "generate": (202, {"job": "g1"})}
    result = {"z": z, "category": 1, "seconds": 1, "name": "x", "error_db": 2.5, "neighbours": []}
    answers.jobs["e1"] = [{"state": "done", "result": result}]
    answers.jobs["g1"] = [{"state": "running", "done": 1, "of": 3}]
    with tab_of(answers) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        tab.fill("#words", "short and dusty")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#words-unknown:not(:empty)")
        for name, data in (("my own.wav", b"RIFF"), ("empty.wav", b"")):
            tab.set_input_files("#own-files", [{"name": name, "mimeType": "audio/wav", "buffer": data}])
        tab.wait_for_selector("#own li")
        tab.click("#find")
        tab.wait_for_selector("#found li")
        tab.locator("#folder-start").press("Enter")
        tab.wait_for_selector("#work progress")
        assert violations(tab, axe) == []
