"""Servers that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from site_of import Site

from tiny import Tiny


@pytest.fixture(scope="module")
def site(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site([tiny.file], tmp_path_factory.mktemp("around"))
    yield made
    made.close()


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes further servers, which are closed after the test."""
    made: list[Site] = []

    def make(*files: Path, **options: Any) -> Site:
        made.append(Site(list(files), tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
