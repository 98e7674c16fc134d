"""Instruments to play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import instruments
from tests.live.jack import jack_server


@pytest.fixture(scope="session")
def drums_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instrument of drums without training sounds."""
    return instruments.drums(tmp_path_factory.mktemp("live") / "drums.safetensors")


@pytest.fixture(scope="session")
def notes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instrument of notes."""
    return instruments.notes(tmp_path_factory.mktemp("live") / "notes.safetensors")


@pytest.fixture(scope="session")
def jack() -> Iterator[dict[str, str]]:
    """The environment of a JACK server."""
    with jack_server() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found
