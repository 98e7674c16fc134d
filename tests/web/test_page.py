"""The page of an instrument in a browser, opened from disk with the network off: what a musician does, and the samples that come of it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import browser
from timbrespace.instrument import Instrument
from timbrespace.native.interface import Opened
from timbrespace.native.library import load_core
from timbrespace.web.page import render_page, write_page


@pytest.fixture(scope="module")
def page_file(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "play.html", instrument, title="Tiny <drums>")


@pytest.fixture
def page(page_file: Path) -> Iterator[Any]:
    with browser.opened(page_file) as tab:
        tab.context.set_offline(True)
        tab.wait_for_selector('body[data-ready="true"]', timeout=90_000)
        yield tab


def taken(page: Any, button: str) -> bytes:
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def pads_of(page: Any) -> list[Any]:
    """The pads of the session that the page would save."""
    found: list[Any] = json.loads(taken(page, "#take-session"))["session"]["pads"]
    return found


def samples(data: bytes) -> tuple[NDArray[np.float64], int]:
    audio, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    return audio, rate


def test_a_page_loads_nothing_and_holds_no_recording(instrument: Instrument) -> None:
    text = render_page(instrument, title="Tiny <drums>")
    assert "<h1>Tiny &lt;drums&gt;</h1>" in text
    assert "{{" not in text.replace("${{", "")
    assert all(word not in text for word in ("http://", "https://", 'src="', 'href="http'))
    contents = instrument.contents
    assert contents.clips is not None
    facts = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    assert set(facts) == {"title", "fingerprint", "latents", "x", "y", "categories", "names", "scales", "clusters", "clusterTitles"}
    assert len(facts["x"]) == len(contents.clips.names)


def test_the_page_plays_as_python_does(page: Any, page_file: Path) -> None:
    """Pad 1's sound as a WAV is what the core gives Python of the same file, latent and seed, to the rounding of 24 bits."""
    sound = json.loads(taken(page, "#take-session"))["session"]["pads"][0]["sound"]
    audio, rate = samples(taken(page, "#take-sound"))
    packed = page_file.read_text(encoding="utf-8").split('id="instrument">')[1].split("</script>")[0]
    opened = Opened(load_core(), gzip.decompress(base64.b64decode(packed)))
    wanted = opened.render(np.asarray(sound["z"], np.float32), int(sound["seed"]), category=sound["category"])
    assert rate == opened.info.sample_rate
    assert audio.T.shape == wanted.shape
    assert np.abs(audio.T - wanted).max() <= 2**-23


def test_drums_have_pads_and_no_keys(page: Any) -> None:
    for name in ("#keyboard", "#keys-panel", "#sustain", "#own-card", "#folder-card", "#words-card"):
        assert not page.locator(name).is_visible(), name


def test_pads_sound_and_are_recorded(page: Any) -> None:
    page.click("#record")
    page.locator(".pad").nth(2).click()
    page.wait_for_timeout(400)
    audio, _ = samples(taken(page, "#record"))
    assert 0.05 < np.abs(audio).max() <= 1.0
    assert page.locator("#pad-title").text_content().startswith("Pad 3")


def test_new_vary_lock_and_undo(page: Any) -> None:
    def latents() -> list[Any]:
        return [pad["sound"]["z"] for pad in pads_of(page)]

    first = latents()
    page.click("#pad-locked")
    page.click("#kit-new")
    page.wait_for_selector("#say:has-text('new kit')")
    second = latents()
    assert second[0] == first[0]
    assert all(a != b for a, b in zip(first[1:], second[1:], strict=True))
    page.click("#undo")
    assert browser.until(page, latents, first.__eq__) == first


def test_a_beat_is_exact_to_the_sample(page: Any) -> None:
    """Steps 1 and 9 of one lane at 120 beats a minute are 44,100 samples apart."""
    page.locator('.cell[data-lane="0"][data-step="0"]').click()
    page.locator('.cell[data-lane="0"][data-step="8"]').click()
    page.locator("#tempo").fill("120")
    audio, rate = samples(taken(page, "#take-pattern"))
    assert rate == 44_100
    bar = 2 * rate
    assert np.abs(audio[: rate // 2] - audio[rate : rate + rate // 2]).max() < 1e-3
    assert np.abs(audio[: rate // 2] - audio[bar : bar + rate // 2]).max() < 1e-3


def test_kit_and_midi_files(page: Any) -> None:
    archive = zipfile.ZipFile(io.BytesIO(taken(page, "#take-kit")))
    assert archive.testzip() is None
    names = archive.namelist()
    assert len([name for name in names if name.endswith(".wav")]) == 16
    sfz = archive.read("kit.sfz").decode()
    assert all(f"sample={name} key=" in sfz for name in names if name.endswith(".wav"))
    page.locator('.cell[data-lane="1"][data-step="4"]').click()
    midi = taken(page, "#take-midi")
    assert midi[:4] == b"MThd"
    assert struct.unpack(">HHH", midi[8:14]) == (0, 1, 480)
    assert bytes([0x99, 38]) in midi


def test_a_session_comes_back(page: Any, page_file: Path, tmp_path: Path) -> None:
    page.locator(".cell").nth(3).click()
    page.locator("#tempo").fill("97")
    saved = tmp_path / "session.json"
    saved.write_bytes(taken(page, "#take-session"))
    with browser.opened(page_file) as other:
        other.wait_for_selector('body[data-ready="true"]', timeout=90_000)
        other.set_input_files("#load-session", str(saved))
        other.wait_for_selector("#say:has-text('Session')")
        assert json.loads(taken(other, "#take-session"))["session"]["pattern"] == json.loads(saved.read_text())["session"]["pattern"]
        foreign = tmp_path / "foreign.json"
        for text in ("{}", "no JSON", saved.read_text().replace('"instrument": "', '"instrument": "x')):
            foreign.write_text(text)
            other.set_input_files("#load-session", str(foreign))
            other.wait_for_selector("#say:has-text('cannot be loaded')")


def test_the_map_gives_sounds_to_the_selected_pad(page: Any) -> None:
    before = json.loads(taken(page, "#take-session"))["session"]["pads"][0]["sound"]["z"]
    page.locator("#map").click(position={"x": 150, "y": 150})
    page.wait_for_selector("#say:has-text('on pad 1')")
    assert json.loads(taken(page, "#take-session"))["session"]["pads"][0]["sound"]["z"] != before


def test_favourites_are_kept_put_back_and_taken_out(page: Any) -> None:
    assert not page.locator("#favourites-card").is_visible()
    page.click("#pad-keep")
    page.locator(".pad").nth(3).click()
    page.click("#pad-keep")
    assert page.locator("#favourites li").count() == 2
    page.locator("#favourites li").nth(0).locator("button").nth(1).click()
    pads = browser.until(page, lambda: pads_of(page), lambda found: found[3]["sound"] == found[0]["sound"])
    assert pads[3]["sound"] == pads[0]["sound"]
    archive = zipfile.ZipFile(io.BytesIO(taken(page, "#take-favourites")))
    assert archive.testzip() is None
    assert len(archive.namelist()) == 2
    page.locator("#favourites li").nth(0).locator("button").nth(2).click()
    assert page.locator("#favourites li").count() == 1


def test_the_square_mixes_the_corner_pads(page: Any) -> None:
    page.locator(".pad").nth(5).click()
    box = page.locator("#corners").bounding_box()
    page.locator("#corners").click(position={"x": box["width"] - 8, "y": 8})

    def distances() -> list[float]:
        pads = pads_of(page)
        return [float(np.linalg.norm(np.subtract(pads[5]["sound"]["z"], pads[k]["sound"]["z"]))) for k in (3, 12)]

    near, far = browser.until(page, distances, lambda found: found[0] < 0.3 * found[1])
    assert near < 0.3 * far


def test_controls_move_the_latent_and_go_back(page: Any) -> None:
    if not page.locator("#controls input").count():
        pytest.skip("the tiny instrument has no controls")

    def latent() -> Any:
        return pads_of(page)[0]["sound"]["z"]

    before = latent()
    slider = page.locator("#controls input").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert browser.until(page, latent, before.__ne__) != before
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert np.allclose(browser.until(page, latent, lambda now: np.allclose(now, before, atol=1e-5)), before, atol=1e-5)


def test_the_raw_latent_moves_number_by_number(page: Any, instrument: Instrument) -> None:
    def latent() -> list[float]:
        found: list[float] = pads_of(page)[0]["sound"]["z"]
        return found

    before = latent()
    page.click("#raw-card summary")
    page.wait_for_selector("#raw-1")
    assert page.locator("#raw input").count() == instrument.contents.model.dims
    page.locator("#raw-1").evaluate(
        "(input) => { input.value = 1.5; for (const name of ['input', 'change']) input.dispatchEvent(new Event(name)) }"
    )
    assert browser.until(page, latent, lambda now: now[0] == pytest.approx(1.5)) == pytest.approx([1.5, *before[1:]])
    page.click("#undo")
    assert latent() == pytest.approx(before)
    assert float(page.locator("#raw-1").input_value()) == pytest.approx(before[0], abs=0.006)


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_is_wider_than_the_screen_and_everything_has_a_name(page_file: Path, width: int) -> None:
    with browser.opened(page_file, width=width) as tab:
        tab.wait_for_selector('body[data-ready="true"]', timeout=90_000)
        assert tab.locator("html").evaluate("(page) => page.scrollWidth") <= width
        for element in tab.locator("button:visible, select:visible, input:visible").all():
            name = element.evaluate(
                "(e) => (e.ariaLabel || e.textContent || [...(e.labels || [])].map((l) => l.textContent).join('')).trim()"
            )
            assert name, element.evaluate("(e) => e.outerHTML")


def test_clicks_set_velocity_chance_and_ratchets(page: Any) -> None:
    cell = page.locator('.cell[data-lane="2"][data-step="1"]')
    for name, wanted in (("velocity", 1), ("probability", 0.75), ("ratchet", 2)):
        page.select_option("#paint", name)
        if name == "velocity":
            cell.click()  # sets the step
        cell.click()
        step = json.loads(taken(page, "#take-session"))["session"]["pattern"]["lanes"][2]["steps"][1]
        assert step["on"]
        assert step[name] == wanted


def test_the_map_is_coloured_by_descriptors_and_clusters(page: Any) -> None:
    names = page.locator("#map-colour option").all_text_contents()
    assert names[:2] == ["category", "cluster"]
    assert "brightness" in names
    seen = {page.locator("#map").screenshot()}
    for name in ("cluster", "brightness"):
        page.select_option("#map-colour", name)
        seen.add(browser.until(page, page.locator("#map").screenshot, lambda picture: picture not in seen))
    assert len(seen) == 3


def test_the_clusters_of_the_map_are_those_of_python(instrument: Instrument) -> None:
    facts = json.loads(render_page(instrument, title="Tiny").split('id="facts">')[1].split("</script>")[0])
    found = instrument.clusters()
    names: dict[int, set[str]] = {}
    for name, number in zip(facts["names"], facts["clusters"], strict=True):
        names.setdefault(number, set()).add(name)
    assert [names[number] for number in range(len(found))] == [set(cluster.names) for cluster in found]
    assert facts["clusterTitles"] == [cluster.title for cluster in found]
