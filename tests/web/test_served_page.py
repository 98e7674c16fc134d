"""The page where it is served: words, neighbours, dropped files, generation, other instruments, and what it says when the server fails.

Here the server's answers are made by the test, after the contract of its interface; the sounds are those of the page.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from served_answers import Answer, Answers, served, tab_of

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page

READY = 'body[data-ready="true"]'


@pytest.fixture(scope="module")
def text(instrument: Instrument) -> str:
    return served(instrument)


@pytest.fixture
def answers(text: str) -> Answers:
    return Answers(text)


@pytest.fixture
def page(answers: Answers) -> Iterator[Any]:
    with tab_of(answers) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        yield tab


@pytest.fixture(scope="module")
def latents(instrument: Instrument) -> Any:
    assert instrument.contents.clips is not None
    return instrument.contents.clips.latents.numpy().astype(np.float64)


def session(page: Any) -> dict[str, Any]:
    with page.expect_download() as download:
        page.click("#take-session")
    found: dict[str, Any] = json.loads(Path(download.value.path()).read_text())["session"]
    return found


def pads_again(page: Any, before: list[Any]) -> list[Any]:
    """The pads, when they are what they were; else those at the end of the time."""
    found: list[Any] = browser.until(page, lambda: session(page)["pads"], before.__eq__)
    return found


def drawn(page: Any) -> str:
    """The map as it is drawn after a moment."""
    page.wait_for_timeout(100)
    picture: str = page.evaluate("document.getElementById('map').toDataURL()")
    return picture


def sounds(latents: Any, *rows: int) -> list[dict[str, Any]]:
    return [{"z": latents[row].tolist(), "category": 0, "seed": str(2**63 + row)} for row in rows]


def drop(page: Any, selector: str, files: dict[str, bytes], kind: str = "audio/wav") -> bool:
    """Drops files onto an element as a desktop does; returns whether the page kept the browser from opening them."""
    kept: bool = page.evaluate(
        """([selector, files, type]) => {
          const data = new DataTransfer(), place = document.querySelector(selector);
          for (const [name, bytes] of Object.entries(files)) data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
          const send = (name) => place.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
          return !send("dragover") && !send("drop");
        }""",
        [selector, {name: list(data) for name, data in files.items()}, kind],
    )
    return kept


# --- words -----------------------------------------------------------------------------------------------------------
def test_words_put_a_sound_on_the_selected_pad(page: Any, answers: Answers, latents: Any) -> None:
    """With the keyboard alone; the seed beyond 2^53 is kept to the last digit, and undo takes the sound back."""
    answers.given["prompt"] = (200, {"sounds": sounds(latents, 3), "understood": "category: snare\nshort: shorter", "unknown": ["dusty"]})
    before = session(page)["pads"]
    page.locator(".pad").nth(2).click()
    page.focus("#words")
    page.keyboard.type("dusty snare")
    page.keyboard.press("Enter")
    page.wait_for_selector("#say:has-text('A new sound on pad 3')")
    after = session(page)["pads"]
    assert after[2]["sound"] == {"z": latents[3].tolist(), "category": 0, "seed": str(2**63 + 3), "samples": 0}
    assert [a["sound"] for k, a in enumerate(after) if k != 2] == [b["sound"] for k, b in enumerate(before) if k != 2]
    assert page.locator("#words-understood").text_content() == "Understood: category: snare · short: shorter"
    assert page.locator("#words-unknown").text_content() == "Not understood: dusty"
    (asked,) = answers.of("prompt")
    assert (asked["text"], asked["count"]) == ("dusty snare", 1)
    assert asked["seed"].isdecimal()
    assert "like" not in asked
    page.check("#words-like")
    page.fill("#words", "like this but darker")
    page.click("#words-pad")
    browser.until(page, lambda: answers.of("prompt"), lambda asked: len(asked) == 2)
    assert answers.of("prompt")[1]["like"] == latents[3].tolist()
    page.wait_for_selector("#work-panel", state="hidden")
    page.click("#undo")
    page.click("#undo")
    assert pads_again(page, before) == before


def test_words_on_all_unlocked_pads_are_one_step(page: Any, answers: Answers, latents: Any) -> None:
    page.locator(".pad").nth(1).click()
    page.click("#pad-locked")
    before = session(page)["pads"]
    answers.given["prompt"] = (200, {"sounds": sounds(latents, *range(15)), "understood": "short: shorter", "unknown": []})
    page.fill("#words", "short")
    page.click("#words-all")
    page.wait_for_selector("#say:has-text('15 pads')")
    after = session(page)["pads"]
    assert answers.of("prompt")[0]["count"] == 15
    assert after[1] == before[1]
    assert [pad["sound"]["z"] for k, pad in enumerate(after) if k != 1] == latents[:15].tolist()
    page.click("#undo")
    assert pads_again(page, before) == before


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (None, "does not answer"),
        ((401, {"error": "token"}), "Open the address with the token"),
        ((403, {"error": "This server answers its own page only."}), "answers its own page only"),
        ((429, {"error": "Three are waiting already."}), "Three are waiting already"),
        ((500, {}), "HTTP 500"),
        ((200, {"sounds": [{"z": [1.0], "category": 0, "seed": "1"}], "understood": "", "unknown": []}), "no sound of this instrument"),
        ((200, {"sounds": [], "understood": "", "unknown": ["x"]}), None),
    ],
)
def test_a_refusal_is_said_and_the_page_plays_on(page: Any, answers: Answers, answer: Answer, wanted: str | None) -> None:
    before = session(page)["pads"]
    answers.given["prompt"] = answer
    page.fill("#words", "short")
    page.keyboard.press("Enter")
    if wanted is None:
        page.wait_for_selector("#say:has-text('No sound fits')")
        assert page.locator("#words-unknown").text_content() == "Not understood: x"
    else:
        alert = page.locator("#work [role=alert]")
        alert.wait_for()
        assert wanted in alert.text_content()
        page.click("#work button")
    assert not page.locator("#work-panel").is_visible()
    assert session(page)["pads"] == before
    assert page.locator("#undo").is_disabled()
    page.click("#pad-new")
    page.wait_for_selector("#say:has-text('new sound')")


# --- sounds like this ------------------------------------------------------------------------------------------------
def test_neighbours_are_lit_listed_heard_and_put_on_a_pad(page: Any, answers: Answers, latents: Any) -> None:
    answers.given["neighbours"] = (
        200,
        {"neighbours": [{"point": 4, "distance": 0.25}, {"point": 9, "distance": 1}, {"point": 10**6, "distance": 2}]},
    )
    before, picture = session(page)["pads"], drawn(page)
    page.click("#find")
    page.wait_for_selector("#found li")
    assert answers.of("neighbours")[0]["z"] == before[0]["sound"]["z"]
    assert page.locator("#found li").count() == 2
    page.locator(".pad").nth(3).click()
    page.locator("#found button:has-text('To pad')").nth(1).click()
    page.wait_for_selector("#say:has-text('on pad 4')")
    assert np.allclose(session(page)["pads"][3]["sound"]["z"], latents[9], atol=1e-6)
    assert drawn(page) != picture
    page.click("#find-clear")
    assert page.locator("#found li").count() == 0
    assert drawn(page) == picture


# --- dropped files ---------------------------------------------------------------------------------------------------
def encoding(answers: Answers, result: dict[str, Any]) -> None:
    answers.given["encode"] = (202, {"job": "e1"})
    answers.given["e1"] = (200, {})
    answers.jobs["e1"] = [
        {"state": "waiting", "done": 0, "of": 0},
        {"state": "running", "done": 1, "of": 2},
        {"state": "done", "done": 2, "of": 2, "result": result},
    ]


def test_a_dropped_file_is_encoded_onto_the_pad_and_the_map(page: Any, answers: Answers, latents: Any) -> None:
    neighbours = [{"point": 5, "distance": 0.1}, {"point": 6, "distance": 50}]
    encoding(answers, {"z": latents[5].tolist(), "category": 1, "seconds": 0.2, "name": "x", "error_db": 2.5, "neighbours": neighbours})
    before = session(page)
    picture = drawn(page)
    quiet = io.BytesIO()
    soundfile.write(quiet, 0.01 * np.sin(np.arange(8000) / 9), 44_100, format="WAV")
    assert drop(page, ".pad:nth-child(7)", {"Mein Ton 100%.wav": quiet.getvalue()})
    page.wait_for_selector("#say:has-text('on pad 7')")
    method, path, headers, body = next(one for one in answers.asked if one[1].endswith("/encode"))
    assert (method, path, body) == ("POST", "/api/instrument/0/encode", quiet.getvalue())
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-name"] == "Mein%20Ton%20100%25.wav"
    after = session(page)
    assert after["pads"][6]["sound"]["z"] == latents[5].tolist()
    (own,) = after["own"]
    assert (own["name"], own["error"]) == ("Mein Ton 100%.wav", 2.5)
    x, y = page.evaluate("(() => { const f = JSON.parse(document.getElementById('facts').textContent); return [f.x[5], f.y[5]]; })()")
    assert np.allclose([own["x"], own["y"]], [x, y], atol=1e-3)
    assert drawn(page) != picture
    page.click("#record")
    page.click("#own button:text('Original')")
    page.wait_for_timeout(400)
    with page.expect_download() as download:
        page.click("#record")
    heard, _ = soundfile.read(download.value.path())
    assert np.abs(heard).max() > 0.1  # as loud as the reconstruction, not as the file
    page.locator(".pad").nth(0).click()
    page.click("#own button:text('To pad')")
    page.wait_for_selector("#say:has-text('on pad 1')")
    page.click("#undo")
    page.click("#undo")
    assert pads_again(page, before["pads"]) == before["pads"]
    assert session(page)["own"] == []
    assert not page.locator("#own-card").is_visible()


def test_several_files_go_to_the_pads_that_are_not_locked(page: Any, answers: Answers, latents: Any) -> None:
    encoding(answers, {"z": latents[5].tolist(), "category": 1, "seconds": 0.2, "name": "x", "neighbours": []})
    page.locator(".pad").nth(1).click()
    page.click("#pad-locked")
    page.locator(".pad").nth(0).click()
    before = session(page)["pads"]
    assert drop(page, "main", {"a.wav": b"RIFF", "b.wav": b"RIFF", "empty.wav": b""})
    page.wait_for_selector("#say:has-text('b.wav on pad 3')")
    pads = session(page)["pads"]
    assert pads[1] == before[1]
    assert all(pads[k]["sound"]["z"] == latents[5].tolist() for k in (0, 2))
    assert "empty" in page.locator("#work [role=alert]").text_content()


def test_encoding_is_cancelled_and_refused(page: Any, answers: Answers, latents: Any) -> None:
    encoding(answers, {})
    answers.jobs["e1"] = [{"state": "running", "done": 1, "of": 4}]
    before = session(page)
    page.set_input_files("#own-files", [{"name": "long.wav", "mimeType": "audio/wav", "buffer": b"RIFF"}])
    page.wait_for_selector("#work progress[value='1']")
    page.click("#work button:has-text('Cancel')")
    page.wait_for_selector("#work-panel", state="hidden")
    asked = browser.until(page, lambda: [one[:2] for one in answers.asked], lambda found: ("DELETE", "/api/jobs/e1") in found)
    assert ("DELETE", "/api/jobs/e1") in asked
    page.set_input_files("#own-files", [{"name": f"{k}.wav", "mimeType": "audio/wav", "buffer": b"RIFF"} for k in range(2)])
    page.wait_for_selector("#work progress[value='1']")
    page.click("#work li:has-text('1.wav') button")  # it waits for the first
    page.wait_for_selector("#work li:has-text('1.wav')", state="detached")
    page.click("#work button")
    page.wait_for_selector("#work-panel", state="hidden")
    answers.jobs["e1"] = [{"state": "failed", "done": 0, "of": 1, "error": "this is no sound file"}]
    page.set_input_files("#own-files", [{"name": "bad.txt", "mimeType": "text/plain", "buffer": b"words"}])
    page.wait_for_selector("#work [role=alert]:has-text('bad.txt: this is no sound file')")
    assert session(page) == before


def test_a_page_from_disk_says_what_it_cannot_do(instrument: Instrument, tmp_path: Path) -> None:
    """Nothing of the server is shown there, and a dropped file does not take the browser away from the page."""
    with browser.opened(write_page(tmp_path / "play.html", instrument, title="Tiny")) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        for part in ("#words-card", "#find-row", "#folder-card", "#own-card", "#instruments", "#own-files", "#work-panel"):
            assert not tab.locator(part).is_visible()
        assert drop(tab, "#map", {"kick.wav": b"RIFF"})
        assert "timbrespace serve" in tab.locator("#work [role=alert]").text_content()
        tab.click("#work button")
        saved = session(tab)
        name = tab.evaluate("JSON.parse(document.getElementById('facts').textContent).fingerprint")
        saved["pattern"]["tempo"] = 77
        data = json.dumps({"timbrespace": "session", "version": 1, "instrument": name, "session": saved}).encode()
        assert drop(tab, "main", {"mine.json": data}, "application/json")
        tab.wait_for_selector("#say:has-text('Session mine.json')")
        assert session(tab)["pattern"]["tempo"] == 77


# --- generation, instruments -----------------------------------------------------------------------------------------
def test_sounds_are_generated_into_the_folder(page: Any, answers: Answers) -> None:
    answers.given["generate"] = (202, {"job": "g1"})
    done = {"state": "done", "done": 3, "of": 3, "result": {"folder": "tiny-1", "files": ["1.wav", "2.wav", "3.wav", "kit.sfz"]}}
    answers.jobs["g1"] = [{"state": "running", "done": 1, "of": 3}, done]
    page.fill("#words", "short")
    page.fill("#folder-count", "3")
    page.check("#folder-words")
    page.check("#folder-kit")
    page.click("#folder-start")
    page.wait_for_selector("#folder-result:has-text('3 sounds are in the folder “tiny-1”')")
    (asked,) = answers.of("generate")
    assert (asked["count"], asked["prompt"], asked["kit"]) == (3, "short", True)
    assert len(asked["id"]) == 36
    answers.given["generate"] = None
    page.click("#folder-start")
    page.wait_for_selector("#work [role=alert]:has-text('does not answer')")
    again = answers.of("generate")[1:]
    assert [one["id"] for one in again] == [again[0]["id"]] * 2  # tried twice, and the server would know it again
    assert again[0]["id"] != asked["id"]


def test_generation_is_followed_by_the_next_page_of_the_tab(page: Any, answers: Answers) -> None:
    answers.given["generate"] = (202, {"job": "g1"})
    answers.jobs["g1"] = [{"state": "running", "done": 1, "of": 900}]
    page.fill("#folder-count", "900")
    page.click("#folder-start")
    page.wait_for_selector("#work li:has-text('1 of 900')")
    page.locator("#instruments a").nth(1).click()
    page.wait_for_selector(READY, timeout=90_000)
    page.wait_for_selector("#work li:has-text('Generating 900 sounds')")
    answers.jobs["g1"] = [{"state": "done", "done": 900, "of": 900, "result": {"folder": "tiny-2", "files": ["1.wav"]}}]
    page.wait_for_selector("#folder-result:has-text('tiny-2')")
    assert len(answers.of("generate")) == 1


def test_without_a_folder_nothing_is_generated(instrument: Instrument) -> None:
    one = [{"title": "Tiny", "href": "/instrument/0"}]
    with tab_of(Answers(served(instrument, folder=False, instruments=one))) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        assert not tab.locator("#folder-card").is_visible()
        assert not tab.locator("#instruments").is_visible()
        assert tab.locator("#words-card").is_visible()


def test_a_session_outlives_a_change_of_instrument(page: Any) -> None:
    links = page.locator("#instruments a")
    assert links.all_text_contents() == ["No 0 <b>", "No 1 <b>"]
    assert links.nth(0).get_attribute("aria-current") == "page"
    page.click("#pad-new")
    page.wait_for_selector("#say:has-text('new sound')")
    page.locator("#tempo").fill("99")
    before = session(page)
    links.nth(1).click()
    page.wait_for_selector(READY, timeout=90_000)
    assert session(page) == before
    assert page.locator("#undo").is_disabled()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_served_page_fits_and_everything_has_a_name(answers: Answers, latents: Any, width: int) -> None:
    long = {"error_db": 2.5, "neighbours": [], "z": latents[5].tolist(), "category": 1, "seconds": 1, "name": "x"}
    encoding(answers, long)
    answers.given["neighbours"] = (200, {"neighbours": [{"point": k, "distance": k} for k in range(8)]})
    with tab_of(answers, width=width) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        tab.set_input_files("#own-files", [{"name": "long name " * 12 + ".wav", "mimeType": "audio/wav", "buffer": b"RIFF"}])
        tab.click("#find")
        tab.wait_for_selector("#own li")
        tab.wait_for_selector("#found li")
        assert tab.locator("html").evaluate("(page) => page.scrollWidth") <= width
        for element in tab.locator("button:visible, select:visible, input:visible, a:visible").all():
            name = element.evaluate(
                "(e) => (e.ariaLabel || e.textContent || [...(e.labels || [])].map((l) => l.textContent).join('')).trim()"
            )
            assert name, element.evaluate("(e) => e.outerHTML")
