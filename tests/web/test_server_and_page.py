"""The page and the server that gives it, together: what a musician does in a browser is what Python does with the same instrument."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import browser
from timbrespace.instrument import Instrument
from tiny import Tiny

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")

READY = 'body[data-ready="true"]'


@dataclass
class Serving:
    """A server in a thread of this process."""

    address: str
    folder: Path | None
    server: Any
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


def serve(files: list[Path], *, folder: Path | None = None, token: str | None = None, port: int = 0) -> Serving:
    from timbrespace.web.server.running import listen
    from timbrespace.web.server.starting import make_office, wrapped

    office, listening = make_office(files, folder=folder), listen("127.0.0.1", port)
    app = wrapped(office, listening, token=token)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening.socket]), daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    return Serving(listening.address(token), folder, server, thread)


@pytest.fixture(scope="module")
def serving(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    started = serve([tiny.file], folder=tmp_path_factory.mktemp("served") / "new")
    yield started
    started.stop()


@pytest.fixture
def page(serving: Serving) -> Iterator[Any]:
    with browser.opened(serving.address, refusals=True) as tab:
        tab.wait_for_selector(READY, timeout=60_000)
        yield tab


def pads(page: Any) -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.click("#take-session")
    found: list[dict[str, Any]] = json.loads(Path(download.value.path()).read_text())["session"]["pads"]
    return found


def test_words_are_those_of_python(page: Any, instrument: Instrument) -> None:
    category = instrument.categories[0]
    with page.expect_request("**/prompt") as asked:
        page.fill("#words", f"bright {category}, xyzzy")
        page.keyboard.press("Enter")
    page.wait_for_selector("#say:has-text('A new sound on pad 1')", timeout=60_000)
    given = pads(page)[0]["sound"]
    (wanted,) = instrument.generate(1, prompt=f"bright {category}, xyzzy", seed=int(asked.value.post_data_json["seed"]))
    assert np.allclose(given["z"], wanted.recipe["latent"], atol=1e-5)
    assert given["seed"] == str(wanted.recipe["phase_seed"])
    assert f"category: {category}" in page.locator("#words-understood").text_content()
    assert page.locator("#words-unknown").text_content() == "Not understood: xyzzy"
    page.fill("#words", "xyzzy")
    page.keyboard.press("Enter")
    page.wait_for_selector("#work [role=alert]:has-text('nothing that this instrument can follow')", timeout=60_000)


def test_words_are_compared_with_the_selected_pad(page: Any, instrument: Instrument) -> None:
    page.click("#find")
    page.wait_for_selector("#found li", timeout=60_000)
    before = pads(page)[0]["sound"]
    page.check("#words-like")
    page.fill("#words", "like this but darker")
    page.keyboard.press("Enter")
    page.wait_for_selector("#say:has-text('A new sound on pad 1')", timeout=60_000)
    after = pads(page)[0]["sound"]
    assert "than the compared sound" in page.locator("#words-understood").text_content()
    far = np.linalg.norm(np.subtract(after["z"], before["z"]))
    spread = float(torch.linalg.vector_norm(instrument.contents.clips.latents.std(0)))  # type: ignore[union-attr]
    assert 0 < far < spread


def test_a_dropped_sound_is_encoded_as_python_does(page: Any, tiny: Tiny, instrument: Instrument) -> None:
    path = sorted(tiny.folder.rglob("*.wav"))[3]
    page.set_input_files("#own-files", str(path))
    page.wait_for_selector("#own li", timeout=60_000)
    page.wait_for_selector("#say:has-text('on pad 1')")
    assert np.allclose(pads(page)[0]["sound"]["z"], instrument.encode(instrument.read(path)).z.numpy(), atol=1e-4)
    page.set_input_files("#own-files", [{"name": "bad.wav", "mimeType": "audio/wav", "buffer": b"RIFF but no sound"}])
    page.wait_for_selector("#work [role=alert]:has-text('bad.wav: ')", timeout=60_000)
    page.click("#find")
    page.wait_for_selector("#found li", timeout=60_000)
    nearest = page.locator("#found button").first.get_attribute("title")
    names = instrument.contents.clips.names  # type: ignore[union-attr]
    assert nearest == names[instrument.find(path, 1)[0].index]


def test_sounds_get_into_the_folder_and_can_be_cancelled(page: Any, serving: Serving) -> None:
    assert serving.folder is not None
    page.fill("#folder-count", "3")
    page.check("#folder-kit")
    page.click("#folder-start")
    page.wait_for_selector("#folder-result:has-text('3 sounds are in the folder')", timeout=60_000)
    (made,) = serving.folder.iterdir()
    assert made.name in page.locator("#folder-result").text_content()
    assert len(list(made.rglob("*.wav"))) == 3
    assert list(made.rglob("*.sfz"))
    page.fill("#folder-count", "1000")
    page.click("#folder-start")
    page.wait_for_selector("#work li:has-text('of')", timeout=60_000)
    page.click("#work button:text('Cancel')")
    page.wait_for_selector("#folder-start:not([disabled])")
    page.fill("#folder-count", "1")
    page.uncheck("#folder-kit")
    page.click("#folder-start")
    page.wait_for_selector("#folder-result:has-text('1 sound is in the folder')", timeout=60_000)
    assert sorted(len(list(one.rglob("*.wav"))) for one in serving.folder.iterdir()) == [1, 3]


def test_a_server_with_another_instrument_is_no_server_of_this_page(tiny: Tiny, notes: Instrument, tmp_path: Path) -> None:
    """An old tab and a new server at the same address: the number of the instrument is the same, its latents mean other sounds."""
    first = serve([tiny.file])
    notes.save(tmp_path / "notes.safetensors")
    try:
        with browser.opened(first.address, refusals=True) as tab:
            tab.wait_for_selector(READY, timeout=60_000)
            before = pads(tab)
            first.stop()
            first = serve([tmp_path / "notes.safetensors"], port=int(first.address.rsplit(":", 1)[1].strip("/")))
            tab.fill("#words", "short")
            tab.keyboard.press("Enter")
            tab.wait_for_selector("#work [role=alert]:has-text('another instrument')", timeout=60_000)
            assert pads(tab) == before
    finally:
        first.stop()


def test_a_server_with_a_token_that_stops_and_comes_back(tiny: Tiny) -> None:
    token = "a-token-of-some-length"
    first = serve([tiny.file], token=token)
    try:
        with browser.opened(first.address, refusals=True) as tab:
            tab.wait_for_selector(READY, timeout=60_000)
            assert "token" not in tab.url
            assert not tab.locator("#folder-card").is_visible()
            tab.click("#find")
            tab.wait_for_selector("#found li", timeout=60_000)
            tab.context.clear_cookies()
            tab.click("#find")
            tab.wait_for_selector("#work [role=alert]:has-text('address with the token')", timeout=60_000)
            first.stop()
            tab.click("#work button")
            tab.click("#find")
            tab.wait_for_selector("#work [role=alert]:has-text('does not answer')", timeout=60_000)
            before = pads(tab)
            tab.click("#pad-new")
            tab.wait_for_selector("#say:has-text('new sound')")
            assert pads(tab)[0] != before[0]
    finally:
        first.stop()
