"""Two instruments that the tests compute, one with all partials and one with odd ones, and voices learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from melodies import REED, STRING, melody

from timbrespace.audio.files import write
from timbrespace.voices import load, train
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import RATE
from timbrespace.voices.training import VoicesOptions


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    found = {}
    for number, (name, partials) in enumerate((("reed", REED), ("string", STRING))):
        found[name] = folder / name
        found[name].mkdir()
        write(found[name] / f"{name}.wav", melody(partials, seed=number)[None].astype(np.float32), RATE)
    return found


@pytest.fixture(scope="session")
def voices_file(recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voices") / "voices.safetensors"
    train(recordings, path, VoicesOptions(steps=250))
    return path


@pytest.fixture(scope="session")
def voices(voices_file: Path) -> Voices:
    return load(voices_file)
