"""The keyboard of notes: pedal, bend and wheel of a MIDI keyboard, and two controls of each note."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page

# A MIDI keyboard, and the messages to the audio thread; both before the page starts.
_MIDI = """
window.keyboard = { name: "Keys", onmidimessage: null };
navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", window.keyboard]]), onstatechange: null });
window.midi = (...data) => window.keyboard.onmidimessage({ data: Uint8Array.from(data) });
window.sent = [];
const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (message, ...more) { window.sent.push(message); return post.call(this, message, ...more); };
"""
READY = 'body[data-ready="true"]'


@pytest.fixture(scope="module")
def page_file(notes: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny instrument hardly follows its controls; here they reach from -2 to 2 spreads."""
    controls = notes.contents.controls
    assert controls is not None
    reach = torch.tensor([-2.0, 2.0]).expand(len(controls.reach), 2).clone()
    wide = Instrument(replace(notes.contents, controls=replace(controls, reach=reach)))
    return write_page(tmp_path_factory.mktemp("page") / "notes.html", wide, title="Notes")


@pytest.fixture
def page(page_file: Path) -> Iterator[Any]:
    with browser.opened(page_file) as tab:
        tab.add_init_script(_MIDI)
        tab.reload()
        tab.wait_for_selector(READY, timeout=90_000)
        tab.locator(".pad").first.click()  # allows sound
        tab.click("#midi")
        tab.wait_for_function("keyboard.onmidimessage && sent.some(({ verb }) => verb === 'play')")  # the pad's sound
        tab.evaluate("sent.length = 0")
        yield tab


def midi(page: Any, *messages: tuple[int, ...]) -> None:
    for message in messages:
        page.evaluate("(data) => midi(...data)", list(message))


def sent(page: Any, verb: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "(verb) => sent.filter((one) => one.verb === verb).map(({ channels, ...rest }) => rest)", verb
    )
    return found


def played(page: Any, count: int) -> list[dict[str, Any]]:
    """The notes that were played, when there are so many."""
    for _ in range(100):
        found = sent(page, "play")
        if len(found) >= count:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(found)} notes sounded, not {count}")


def test_the_pedal_keeps_notes_until_it_is_lifted(page: Any) -> None:
    midi(page, (0x90, 60, 90), (0x90, 64, 90))
    low, high = (one["id"] for one in sorted(played(page, 2), key=lambda one: one["id"]))
    midi(page, (0xB0, 64, 127), (0x80, 60, 0), (0x90, 64, 0))
    assert page.locator(".key.down").count() == 0
    assert sent(page, "release") == []
    assert page.locator("#sustain").get_attribute("aria-pressed") == "true"
    midi(page, (0xB0, 64, 0))
    assert sorted(one["id"] for one in sent(page, "release")) == [low, high]


def test_a_note_let_go_on_the_pedal_before_it_was_made_still_sounds(page: Any) -> None:
    page.click("#sustain")
    page.evaluate("midi(0x90, 55, 90); midi(0x80, 55, 0)")
    voice = played(page, 1)[0]["id"]
    assert sent(page, "release") == []
    page.click("#sustain")
    assert [one["id"] for one in sent(page, "release")] == [voice]
    page.evaluate("midi(0x90, 57, 90); midi(0x80, 57, 0)")
    page.wait_for_timeout(400)
    assert len(sent(page, "play")) == 1  # without the pedal it is over


def test_the_wheel_bends_by_two_semitones(page: Any) -> None:
    midi(page, (0x90, 60, 90))
    first = played(page, 1)[0]["id"]
    midi(page, (0xE0, 127, 127))
    assert sent(page, "bend")[-1] == {"verb": "bend", "id": first, "semitones": 2}
    midi(page, (0x90, 62, 90))
    second = played(page, 2)[1]["id"]
    wanted = {"verb": "bend", "id": second, "semitones": 2}
    assert wanted in browser.until(page, lambda: sent(page, "bend"), lambda found: wanted in found)  # a note after it, too
    midi(page, (0xE0, 0, 0))
    assert {(one["id"], one["semitones"]) for one in sent(page, "bend")[-2:]} == {(first, -2), (second, -2)}
    assert page.locator("#bend").input_value() == "-1"
    midi(page, (0xE0, 0, 64))
    assert page.locator("#bend").input_value() == "0"
    page.locator("#bend").fill("0.5")
    page.locator("#bend").dispatch_event("change")
    assert page.locator("#bend").input_value() == "0"  # springs back
    midi(page, (0xB0, 123, 0))
    assert {first, second} <= {one["id"] for one in sent(page, "release")}


def amount(page: Any, way: str) -> float:
    return float(page.locator(f"#key-amount-{way}").input_value())


def test_the_modulation_wheel_moves_the_first_control_of_the_next_notes(page: Any) -> None:
    most = float(page.locator("#key-amount-up").get_attribute("max"))
    midi(page, (0x90, 60, 90), (0x80, 60, 0))
    plain = played(page, 1)[0]["slot"]
    midi(page, (0xB0, 1, 127))
    assert amount(page, "up") == most == 2
    for _ in range(40):  # a note that is let go before its sound is made is not played
        midi(page, (0x90, 60, 90), (0x80, 60, 0))
        page.wait_for_timeout(250)
        if sent(page, "play")[-1]["slot"] != plain:
            break
    assert sent(page, "play")[-1]["slot"] != plain
    midi(page, (0xB0, 1, 0))
    assert amount(page, "up") == 0


def test_a_control_of_the_next_notes_is_chosen_or_none(page: Any) -> None:
    page.select_option("#key-up", "")
    assert not page.locator("#key-amount-up").is_visible()
    midi(page, (0xB0, 1, 127), (0x90, 60, 90), (0x80, 60, 0))
    page.select_option("#key-up", index=2)
    assert page.locator("#key-amount-up").is_visible()
    name = page.locator("#key-up option").nth(2).text_content()
    assert page.locator("#key-amount-up").get_attribute("aria-label") == f"{name} of the next notes"


def test_the_place_on_a_key_sets_two_controls(page: Any) -> None:
    key = page.locator(".key:not(.black)").first
    key.scroll_into_view_if_needed()
    box = key.bounding_box()
    low = box["height"] - 6  # below the black keys
    ends = {way: [float(page.locator(f"#key-amount-{way}").get_attribute(name)) for name in ("min", "max")] for way in ("up", "across")}
    key.click(position={"x": 3, "y": low})
    assert amount(page, "up") == amount(page, "across") == 0  # not asked for yet
    page.check("#key-place")
    key.click(position={"x": 3, "y": low})
    assert amount(page, "up") < 0.6 * ends["up"][0]
    assert amount(page, "across") < 0.6 * ends["across"][0]
    key.click(position={"x": box["width"] / 2, "y": low})
    assert amount(page, "across") == 0
    assert amount(page, "up") < 0.6 * ends["up"][0]
    with page.expect_download() as download:
        page.click("#take-session")
    keys = json.loads(Path(download.value.path()).read_text())["session"]["keys"]
    assert keys["place"] is True
    assert keys["upAmount"] == amount(page, "up")
