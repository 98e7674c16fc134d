"""Endless mode: the kit moves slowly and stays near where it was. Dragging a pad out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import page_modules
import pytest
import soundfile

import browser
from timbrespace.instrument import Instrument
from timbrespace.web.page import write_page

READY = 'body[data-ready="true"]'


@pytest.fixture(scope="module")
def page_file(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "play.html", instrument, title="Tiny")


@pytest.fixture
def page(page_file: Path) -> Iterator[Any]:
    with browser.opened(page_file) as tab:
        tab.wait_for_selector(READY, timeout=90_000)
        yield tab


def session(page: Any) -> dict[str, Any]:
    with page.expect_download() as download:
        page.click("#take-session")
    found: dict[str, Any] = json.loads(Path(download.value.path()).read_text())["session"]
    return found


def test_a_walk_stays_within_the_variations_of_its_home(page: Any) -> None:
    """Of 200 moves none is further from home than the furthest place it went to, and none is a leap."""
    page_modules.load(page, sounds=("openInstrument", "draw", "around"), endless=("walkAbout", "moveOn"))
    found = page.evaluate("""async () => {
      const { openInstrument, draw, around, walkAbout, moveOn } = window.found;
      await openInstrument();
      const { z } = await draw({ seed: 4 }), walk = walkAbout(z), far = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
      let seed = 0, furthest = 0, leap = 0, most = 0, last = z;
      const place = async (home) => {
        const next = await around({ z: home, amount: 0.4, seed: ++seed });
        most = Math.max(most, far([...next], z));
        return next;
      };
      const seen = [];
      for (let k = 0; k < 200; k++) {
        const now = await moveOn(walk, place);
        furthest = Math.max(furthest, far([...now], z));
        leap = Math.max(leap, far([...now], last));
        last = now;
        seen.push([...now].join());
      }
      return { furthest, leap, most, different: new Set(seen).size, places: seed };
    }""")
    assert found["places"] == 25
    assert found["different"] == 200
    assert 0 < found["furthest"] <= found["most"] * (1 + 1e-5)
    assert found["leap"] < 0.4 * 2 * found["most"]


def test_an_endless_beat_moves_the_pads_that_it_plays_and_no_locked_one(page: Any) -> None:
    page.locator("#tempo").fill("220")
    page.select_option("#steps", "8")
    for lane in (0, 1, 2):
        page.locator(f'.cell[data-lane="{lane}"][data-step="0"]').click()
    page.locator(".pad").nth(1).click()
    page.click("#pad-locked")
    page.locator("#endless").fill("1")
    before = session(page)["pads"]
    page.click("#play")
    for _ in range(80):
        page.wait_for_timeout(100)
        moved = [
            k for k, (now, old) in enumerate(zip(session(page)["pads"], before, strict=True)) if now["sound"]["z"] != old["sound"]["z"]
        ]
        if {0, 2} <= set(moved):
            break
    page.click("#play")
    assert moved == [0, 2]
    kit = session(page)["pads"]
    spread = np.std([pad["sound"]["z"] for pad in before], axis=0)
    for k in moved:
        assert np.abs(np.subtract(kit[k]["sound"]["z"], before[k]["sound"]["z"]) / spread).mean() < 1.5


def test_a_dragged_pad_is_its_wav(page: Any) -> None:
    page.evaluate("""() => {
      const make = URL.createObjectURL;
      URL.createObjectURL = (blob) => { window.kept = blob; return (window.address = make.call(URL, blob)); };
      document.addEventListener("dragstart", (event) => { window.dragged = event.dataTransfer.getData("DownloadURL"); });
    }""")
    box = page.locator(".pad").nth(2).bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 200, steps=5)
    page.mouse.up()
    kind, name, address = page.evaluate("window.dragged").split(":", 2)
    assert kind == "audio/wav"
    assert name.startswith("03 ")
    assert name.endswith(".wav")
    assert address == page.evaluate("window.address")
    data = bytes(page.evaluate("window.kept.arrayBuffer().then((bytes) => [...new Uint8Array(bytes)])"))
    audio, _ = soundfile.read(io.BytesIO(data))
    page.locator(".pad").nth(2).click()
    with page.expect_download() as download:
        page.click("#take-sound")
    assert Path(download.value.path()).read_bytes() == data
    assert np.abs(audio).max() > 0.1


def test_the_hits_of_an_endless_beat_drift_and_keep_their_times(page: Any) -> None:
    page_modules.load(page, audio=("setLane", "setPattern", "renderPattern"))
    plain, endless = page.evaluate("""async () => {
      const { setLane, setPattern, renderPattern } = window.found, outcomes = [];
      const sound = { id: 1, channels: [Float32Array.from({ length: 400 }, (_, n) => Math.exp(-n / 40))], sampleRate: 44100 };
      setLane(0, { sound, gain: 0.5, pan: 0, tune: 0, reverse: false, decay: 0, choke: 0, mute: false, solo: false });
      const step = { on: true, velocity: 0.7, probability: 1, ratchet: 1 };
      for (const endless of [0, 1]) {
        setPattern({ tempo: 150, swing: 0.5, steps: 16, seed: 3, endless, lanes: [{ steps: Array(16).fill(step) }] });
        const { channels } = await renderPattern(8), hits = [];
        for (let k = 0; k < 128; k++) {
          hits.push(channels.map((channel) => Math.max(...channel.slice(Math.max(0, 4410 * k - 100), 4410 * k + 300))));
        }
        outcomes.push(hits);
      }
      return outcomes;
    }""")
    plain, endless = np.asarray(plain), np.asarray(endless)
    assert np.ptp(plain[1:]) < 1e-6
    assert np.ptp(endless[1:], axis=0).min() > 0.02
    assert np.abs(np.diff(endless[1:], axis=0)).max() < 0.5 * np.ptp(endless[1:])  # slowly
    assert endless.min() > 0.05
    assert np.ptp(endless[1:, 0] / endless[1:, 1]) > 0.02  # from side to side
