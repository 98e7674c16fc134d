"""The page in Firefox and in WebKit, opened from disk: it starts, its samples are those of Python, and a pad sounds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import firefox
import numpy as np
import pytest
import soundfile
import webkit
from numpy.typing import NDArray

from timbrespace.instrument import Instrument
from timbrespace.native.interface import Opened
from timbrespace.native.library import load_core
from timbrespace.web.page import write_page

_WATCH = """window.trouble = [];
for (const name of ["error", "warn"]) console[name] = (...words) => trouble.push(words.join(" "));
addEventListener("error", (event) => trouble.push(String(event.message)), true);
addEventListener("unhandledrejection", (event) => trouble.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => trouble.push(event.violatedDirective));
"""
# What a page says when it has started, or why it has not.
_STARTED = """new Promise((done) => {
  const look = () => {
    if (document.querySelector("#status.error")) done(document.getElementById("status").textContent);
    else if (document.body.dataset.ready) done("ready"); else setTimeout(look, 50);
  };
  look();
})"""
_KEEP = """(() => {
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => { window.kept = blob; return make.call(URL, blob); };
  return 1;
})()"""
_KEPT = """(async () => {
  for (let k = 0; k < 100 && !window.kept; k++) await new Promise((done) => setTimeout(done, 50));
  if (!window.kept) return "";
  const bytes = new Uint8Array(await window.kept.arrayBuffer());
  window.kept = null;
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
})()"""
_RUNS = """(async () => {
  const context = new AudioContext();
  context.resume();
  for (let k = 0; k < 60 && context.currentTime === 0; k++) await new Promise((done) => setTimeout(done, 50));
  const runs = context.currentTime > 0;
  context.close();
  return runs ? 1 : 0;
})()"""


@contextmanager
def sound_output(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables with a sound output that goes nowhere, where PulseAudio is installed; browsers without any play nothing."""
    program = shutil.which("pulseaudio")
    if program is None:
        yield dict(os.environ)
        return
    place = folder / "pulse"
    place.mkdir()
    own = {**os.environ, "HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
    socket = f"module-native-protocol-unix socket={place}/native auth-anonymous=1"
    command = [program, "-n", "--exit-idle-time=-1", "--disable-shm", "--load=module-null-sink", f"--load={socket}"]
    process = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if (place / "native").exists():
                break
            time.sleep(0.05)
        yield {**os.environ, "PULSE_SERVER": f"unix:{place}/native"}
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def page_file(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_page(tmp_path_factory.mktemp("page") / "play.html", instrument, title="Tiny")
    path.write_text(watched(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def watched(text: str) -> str:
    """The page with a first script, allowed by its hash, that keeps errors, warnings and breaches of the policy in `trouble`."""
    policy, rest = text.split("script-src ", 1)[0], text.split("script-src ", 1)[1]
    digest = base64.b64encode(hashlib.sha256(_WATCH.encode()).digest()).decode()
    return f"{policy}script-src 'sha256-{digest}' {rest}".replace("<title>", f"<script>{_WATCH}</script><title>", 1)


@pytest.mark.parametrize("browser", [firefox, webkit], ids=["firefox", "webkit"])
def test_the_page_plays_in(browser: Any, page_file: Path, tmp_path: Path) -> None:
    with sound_output(tmp_path) as environment, browser.opened(page_file, tmp_path, environment) as tab:
        assert tab.run(_STARTED) == "ready"
        tab.run(_KEEP)
        tab.click("#take-session")
        session = json.loads(kept(tab))
        tab.click("#take-sound")
        audio, _ = soundfile.read(io.BytesIO(kept(tab)), always_2d=True)
        wanted = rendered(page_file, session["session"]["pads"][0]["sound"])
        assert audio.T.shape == wanted.shape
        assert np.abs(audio.T - wanted).max() <= 2**-23
        assert tab.run("trouble.join('; ')") == ""
        if tab.run(_RUNS) == 0:
            pytest.skip("the page opens and makes its sounds; this browser has no sound output here, so none was recorded")
        tab.click("#record")
        tab.run("new Promise((done) => setTimeout(done, 500))")
        tab.click(".pad:nth-child(3)")
        tab.run("new Promise((done) => setTimeout(done, 700))")
        tab.click("#record")
        recorded, _ = soundfile.read(io.BytesIO(kept(tab)), always_2d=True)
        assert 0.05 < np.abs(recorded).max() <= 1
        assert tab.run("trouble.join('; ')") == ""


def kept(tab: Any) -> bytes:
    """The file that the page handed over last."""
    data = base64.b64decode(tab.run(_KEPT))
    assert data, tab.run("document.getElementById('status').textContent")
    return data


def rendered(page_file: Path, sound: dict[str, Any]) -> NDArray[np.float32]:
    """The sound by the native core of this machine, of the instrument in the page."""
    packed = page_file.read_text(encoding="utf-8").split('id="instrument">')[1].split("</script>")[0]
    opened = Opened(load_core(), gzip.decompress(base64.b64decode(packed)))
    return opened.render(np.asarray(sound["z"], np.float32), int(sound["seed"]), category=sound["category"])
