"""Instruments to play."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.live import instruments


@pytest.fixture(scope="session")
def drums_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instrument of drums without training sounds."""
    return instruments.drums(tmp_path_factory.mktemp("live") / "drums.safetensors")


@pytest.fixture(scope="session")
def notes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instrument of notes."""
    return instruments.notes(tmp_path_factory.mktemp("live") / "notes.safetensors")
