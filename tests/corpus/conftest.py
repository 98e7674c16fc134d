"""Fixtures of the tests of the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from hits import hit, save


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder with three good sounds: a.wav, b.wav, c.wav."""
    for seed, name in enumerate("abc"):
        save(tmp_path / "in" / f"{name}.wav", hit(seed=seed, decay=9), subtype="PCM_16")
    return tmp_path / "in"
