"""Firefox without a screen, driven by WebDriver BiDi over a socket."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# No network but this machine's own, no updates, sound without a question.
_PREFERENCES = {
    "app.update.auto": False, "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0, "network.proxy.type": 1, "network.proxy.socks": "127.0.0.1", "network.proxy.socks_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1, localhost", "toolkit.telemetry.enabled": False,
}  # fmt: skip
_PLACE = """(() => {
  const element = document.querySelector(%s);
  element.scrollIntoView({ block: "center" });
  const box = element.getBoundingClientRect();
  return JSON.stringify([box.x + box.width / 2, box.y + box.height / 2]);
})()"""


class FirefoxTab:
    """A tab."""

    def __init__(self, connection: Any):
        self._connection, self._numbers = connection, itertools.count(1)
        self._send("session.new", {"capabilities": {}})
        self._context = self._send("browsingContext.getTree", {})["contexts"][0]["context"]

    def _send(self, method: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv())
            if message.get("id") == number:
                assert message["type"] == "success", f"{method}: {message.get('message')}"
                return message["result"]

    def open(self, path: Path) -> None:
        """Shows a page from disk."""
        self._send("browsingContext.navigate", {"context": self._context, "url": path.as_uri(), "wait": "complete"})

    def run(self, expression: str) -> Any:
        """Returns the value of an expression, a text or a number, of which a promise is waited for."""
        target = {"context": self._context}
        answer = self._send("script.evaluate", {"expression": expression, "target": target, "awaitPromise": True})
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Clicks the middle of an element with a mouse."""
        x, y = (round(value) for value in json.loads(self.run(_PLACE % json.dumps(selector))))
        actions = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        self._send("input.performActions", {"context": self._context, "actions": [mouse]})


def _address(log: Path) -> str:
    """The address that Firefox prints when it listens."""
    for _ in range(600):
        found = re.search(r"listening on (ws://\S+)\s", log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError("Firefox does not listen")


@contextmanager
def opened(path: Path, folder: Path, environment: dict[str, str]) -> Iterator[FirefoxTab]:
    """Yields a tab that shows the page. folder: for its profile. Skips the test where Firefox or websocket-client is missing."""
    websocket = pytest.importorskip("websocket")
    program = shutil.which("firefox") or shutil.which("firefox-esr")
    if program is None:
        pytest.skip("no Firefox here")
    profile = folder / "profile"
    profile.mkdir()
    lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [program, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(profile), "about:blank"]
    log = folder / "firefox.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=out)
        try:
            connection = websocket.create_connection(f"{_address(log)}/session", suppress_origin=True, timeout=60)
            tab = FirefoxTab(connection)
            tab.open(path)
            yield tab
            connection.close()
        finally:
            process.terminate()
            process.wait(30)
