"""What the tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import browser


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    """All pages of a file of tests open in one browser, each with storage of its own."""
    yield
    browser.close()
