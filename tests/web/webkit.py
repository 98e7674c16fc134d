"""WebKit's MiniBrowser on a screen in memory, driven by WebKitWebDriver over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class WebKitTab:
    """A tab."""

    def __init__(self, port: int, browser: str):
        self._address = f"http://127.0.0.1:{port}"
        options = {"webkitgtk:browserOptions": {"binary": browser, "args": ["--automation"]}}
        self._session = f"/session/{self.call('POST', '/session', {'capabilities': {'alwaysMatch': options}})['sessionId']}"

    def call(self, method: str, path: str, value: Any = None) -> Any:
        """A call of the driver."""
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self._address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()[:500]}") from None

    def open(self, path: Path) -> None:
        """Shows a page from disk."""
        self.call("POST", f"{self._session}/url", {"url": path.as_uri()})

    def run(self, expression: str) -> Any:
        """Returns the value of an expression, a text or a number, of which a promise is waited for."""
        script = f"const done = arguments[0]; Promise.resolve({expression}).then((value) => done([value]), (error) => done(String(error)));"
        answer = self.call("POST", f"{self._session}/execute/async", {"script": script, "args": []})
        assert isinstance(answer, list), answer
        return answer[0]

    def click(self, selector: str) -> None:
        """Clicks the middle of an element with a mouse."""
        found = self.call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{ block: 'center' }})")
        move = {"type": "pointerMove", "origin": found, "x": 0, "y": 0, "duration": 0}
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move, *press]}
        self.call("POST", f"{self._session}/actions", {"actions": [mouse]})

    def close(self) -> None:
        """Ends the browser."""
        self.call("DELETE", self._session)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("WebKitWebDriver does not listen")


@contextmanager
def _screen() -> Iterator[str]:
    """The name of a display: that of this session, or one in memory."""
    if "DISPLAY" in os.environ:
        yield os.environ["DISPLAY"]
        return
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("no screen and no Xvfb here")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1400x1000x24"], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    try:
        os.close(writing)
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def opened(path: Path, folder: Path, environment: dict[str, str]) -> Iterator[WebKitTab]:
    """Yields a tab that shows the page. folder: for its log. Skips the test where WebKit's browser or its driver is missing."""
    driver = shutil.which("WebKitWebDriver")
    browsers = sorted(Path("/usr").glob("lib*/**/webkit*gtk-4*/MiniBrowser"))
    if driver is None or not browsers:
        pytest.skip("no WebKitWebDriver with a MiniBrowser here")
    port = _free_port()
    with _screen() as display, (folder / "webkit.log").open("w") as out:
        process = subprocess.Popen([driver, f"--port={port}"], env={**environment, "DISPLAY": display}, stdout=out, stderr=out)
        try:
            _wait_for(port)
            tab = WebKitTab(port, str(browsers[-1]))
            tab.open(path)
            yield tab
            tab.close()
        finally:
            process.terminate()
            process.wait(30)
