"""A library and WebAssembly give the same sounds, to the bit, whatever the machine and the thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from untrained import untrained_notes

from timbrespace.instrument import Instrument
from timbrespace.native.calls import Core
from timbrespace.native.interface import Opened
from timbrespace.synthesis.file.writing import encoded
from tiny import Tiny


@pytest.fixture(scope="module", params=["drums", "drums at 8 bits", "notes", "notes in stereo"])
def data(request: pytest.FixtureRequest, tiny: Tiny) -> bytes:
    if "drums" in request.param:
        return encoded(Instrument.load(tiny.file).contents, bits=8 if "8" in request.param else 16)
    return encoded(untrained_notes(channels=1 + ("stereo" in request.param)).contents)


def sound(opened: Opened, index: int) -> bytes:
    """Latent and samples of a new sound."""
    drawn = opened.draw(3, index, np.zeros((0, opened.info.dims), np.float32))
    levels = ("peak", "loudness", "keep")
    audio = opened.render(drawn.z, index, category=drawn.category, level=levels[index % 3], finish=index < 3)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() > 1e-3
    return drawn.z.tobytes() + audio.tobytes()


def test_sounds_have_the_same_bits(cores: dict[str, Core], data: bytes) -> None:
    native, wasm = (Opened(cores[way], data) for way in ("native", "wasm"))
    alone = [sound(native, index) for index in range(4)]
    assert len(set(alone)) == 4
    assert [sound(wasm, index) for index in range(4)] == alone
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda index: sound(native, index), range(4))) == alone
        assert list(pool.map(lambda index: sound(wasm, index), range(4))) == alone
