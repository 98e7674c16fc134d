"""Playing the page fast: what comes late is dropped, no key stays down, and each pad keeps what was done to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page


@pytest.fixture(scope="module")
def files(instrument: Instrument, notes: Instrument, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: write_page(folder / f"{name}.html", one, title=name) for name, one in (("drums", instrument), ("notes", notes))}


@pytest.fixture
def page(files: dict[str, Path]) -> Iterator[Any]:
    with browser.opened(files["drums"]) as tab:
        tab.wait_for_selector('body[data-ready="true"]', timeout=90_000)
        yield tab


@pytest.fixture
def notes_page(files: dict[str, Path]) -> Iterator[Any]:
    with browser.opened(files["notes"]) as tab:
        tab.wait_for_selector('body[data-ready="true"]', timeout=90_000)
        yield tab


def pads(page: Any) -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.click("#take-session")
    found: list[dict[str, Any]] = json.loads(Path(download.value.path()).read_text())["session"]["pads"]
    return found


def latents(page: Any) -> list[Any]:
    return [pad["sound"]["z"] for pad in pads(page)]


def at_once(page: Any, *buttons: str) -> None:
    """Clicks buttons within one task of the page, before any worker answers."""
    page.evaluate("(ids) => ids.forEach((id) => document.getElementById(id).click())", list(buttons))


@pytest.mark.parametrize("button", ["kit-new", "pad-new", "pad-vary", "surprise"])
def test_what_was_undone_does_not_come_late(page: Any, button: str) -> None:
    first = latents(page)
    at_once(page, button, "undo")
    page.wait_for_timeout(300)
    assert latents(page) == first
    at_once(page, button)
    assert browser.until(page, lambda: latents(page), first.__ne__) != first


def test_a_draw_after_an_undo_is_another_sound(page: Any) -> None:
    page.click("#pad-new")
    page.wait_for_selector("#say:has-text('new sound')")
    disliked = latents(page)[0]
    page.click("#undo")
    liked = browser.until(page, lambda: latents(page)[0], disliked.__ne__)
    page.click("#pad-new")
    drawn = browser.until(page, lambda: latents(page)[0], liked.__ne__)
    assert drawn not in (liked, disliked)


def test_controls_of_several_pads_moved_at_once(page: Any) -> None:
    page.evaluate("""() => {
        const input = document.querySelector("#controls input"), buttons = document.querySelectorAll(".pad");
        for (const index of [4, 5, 6]) {
            buttons[index].focus();
            input.value = input.max;
            for (const name of ["input", "change"]) input.dispatchEvent(new Event(name));
        }
    }""")
    for pad in browser.until(page, lambda: pads(page)[4:7], lambda found: all(one["sound"]["z"] != one["plain"] for one in found)):
        assert len(pad["amounts"]) == 1
        assert not np.allclose(pad["sound"]["z"], pad["plain"])


def test_space_plays_the_beat_after_a_click_and_presses_a_button_reached_by_keys(page: Any) -> None:
    play = page.locator('#play[aria-pressed="true"]')
    page.locator(".pad").nth(1).click()
    page.keyboard.press("Space")
    play.wait_for()
    page.keyboard.press("Space")
    page.wait_for_selector('#play[aria-pressed="false"]')
    page.locator("#theme").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    before = page.locator("#theme").get_attribute("aria-pressed")
    page.keyboard.press("Space")
    assert page.locator("#theme").get_attribute("aria-pressed") != before
    assert play.count() == 0


def test_no_key_stays_down(notes_page: Any) -> None:
    down = notes_page.locator(".key.down")
    notes_page.keyboard.down("a")
    assert down.count() == 1
    notes_page.keyboard.press(",")
    notes_page.keyboard.up("a")
    assert down.count() == 0
    notes_page.keyboard.press(".")
    notes_page.keyboard.down("d")
    assert down.count() == 1
    notes_page.evaluate("window.dispatchEvent(new Event('blur'))")
    assert down.count() == 0


def test_a_note_pressed_again_before_it_sounded_ends(notes_page: Any) -> None:
    """Of two quick presses of a key only the second sounds, and every held voice that was started is released."""
    notes_page.locator(".pad").first.click()  # sound output runs
    notes_page.wait_for_timeout(300)
    notes_page.evaluate("""() => {
        globalThis.sent = [];
        const post = MessagePort.prototype.postMessage;
        MessagePort.prototype.postMessage = function (message, ...more) { sent.push(message); return post.call(this, message, ...more); };
        for (const kind of ["keydown", "keyup", "keydown"]) document.dispatchEvent(new KeyboardEvent(kind, { key: "a" }));
    }""")
    notes_page.wait_for_timeout(400)
    notes_page.evaluate("document.dispatchEvent(new KeyboardEvent('keyup', { key: 'a' }))")
    sent = notes_page.evaluate("sent.map(({ verb, id, held }) => [verb, id, held])")
    started = [number for verb, number, held in sent if verb == "play" and held]
    assert len(started) == 1
    assert [number for verb, number, _ in sent if verb == "release"] == started


def test_an_instrument_of_notes_has_pads_of_one_pitch_and_its_own_keys(notes_page: Any, notes: Instrument) -> None:
    pitches = {round(notes.model.conditioning.pitch_of(torch.tensor(z)) or 0, 2) for z in latents(notes_page)}
    assert len(pitches) == 1
    assert notes_page.locator(".pad[data-key]").count() == 0
    assert notes_page.locator(".key[data-key='A']").count() == 1
    assert "play the pads" not in notes_page.locator("#keys-hint").text_content()
    left = notes_page.locator("#octave-down")
    while left.is_enabled():
        left.click()
    assert notes_page.locator(".key[data-key]").count() > 0
