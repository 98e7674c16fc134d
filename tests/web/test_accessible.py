"""Accessibility by the rules of axe-core, which the package axe-playwright-python brings along; nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page

READY = 'body[data-ready="true"]'
WIDTHS = (390, 820, 1440)
# Every rule, those of best practice too, but those that are still experiments.
_RUN = """async () => {
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
    tab.evaluate(axe)
    found = []
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        for _ in range(2):
            tab.click("#theme")
            theme = tab.locator("html").get_attribute("data-theme")
            tab.wait_for_timeout(300)  # for transitions of colours
            found += [f"{width} {theme} {one}" for one in tab.evaluate(_RUN)]
    return found


def test_a_page_of_drums_breaks_no_rule(instrument: Instrument, axe: str, tmp_path: Path) -> None:
    """With a beat, a favourite, a locked and a muted pad, which have colours of their own."""
    with browser.opened(write_page(tmp_path / "drums.html", instrument, title="Drums")) as tab:
        tab.wait_for_selector(READY, timeout=30_000)
        for button in ("#pad-keep", "#pad-locked", "#pad-mute", "#euclid"):
            tab.click(button)
        tab.locator('.cell[data-lane="0"][data-step="1"]').click()
        tab.select_option("#paint", "ratchet")
        tab.locator('.cell[data-lane="0"][data-step="1"]').click()
        assert violations(tab, axe) == []


def test_a_page_of_notes_breaks_no_rule(notes: Instrument, axe: str, tmp_path: Path) -> None:
    with browser.opened(write_page(tmp_path / "notes.html", notes, title="Notes")) as tab:
        tab.wait_for_selector(READY, timeout=30_000)
        assert violations(tab, axe) == []
