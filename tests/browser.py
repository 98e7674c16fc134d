"""Pages in headless Chromium, opened from disk or from a server on this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

_ARGUMENTS = ["--no-sandbox", "--mute-audio", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
Value = TypeVar("Value")
_open: list[Any] = []  # Playwright and its browser: started by the first page of a file of tests, closed after its last


def _start() -> Any:
    """The browser of these tests; skips the test where Playwright or Chromium is missing."""
    if not _open:
        sync_api = pytest.importorskip("playwright.sync_api")
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            pytest.skip("no Chromium here")
        playwright = sync_api.sync_playwright().start()
        _open.extend((playwright, playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)))
    return _open[1]


def close() -> None:
    """Ends the browser, if there is one."""
    if _open:
        playwright, browser = _open
        browser.close()
        playwright.stop()
        _open.clear()


def until(tab: Any, read: Callable[[], Value], right: Callable[[Value], bool], *, seconds: float = 30.0) -> Value:
    """Reads again and again until what is read is right, and returns it; what was read last if it never is, for an assertion to show."""
    end = time.monotonic() + seconds
    while not right(value := read()) and time.monotonic() < end:
        tab.wait_for_timeout(20)
    return value


@contextmanager
def opened(
    path: Path | str,
    *,
    width: int = 1100,
    height: int = 800,
    scheme: str = "light",
    dialogs: bool = False,
    before: Callable[[Any], None] = lambda tab: None,
    refusals: bool = False,
) -> Iterator[Any]:
    """Yields a tab that shows the page; fails if it printed to the console, raised an error, or, without `dialogs`, opened a dialog.

    path: of a file, or an address. dialogs: accept them. before: called with the tab before it opens the page. refusals: requests may
    fail, which a browser prints. Skips the test where Playwright or Chromium is missing. Every tab has storage of its own.
    """
    context = _start().new_context(viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True)
    context.set_default_timeout(90_000)  # of a busy machine
    try:
        tab = context.new_page()
        trouble: list[str] = []
        tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on("dialog", lambda dialog: dialog.accept() if dialogs else (trouble.append("a dialog opened"), dialog.dismiss()))
        before(tab)
        tab.goto(path.as_uri() if isinstance(path, Path) else path)
        yield tab
        assert [line for line in trouble if not (refusals and line.startswith("Failed to load resource"))] == []
    finally:
        context.close()
