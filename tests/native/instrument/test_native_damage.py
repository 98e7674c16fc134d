"""No damaged instrument file harms the core: it is refused with a status and a text, or plays finite sounds."""

from __future__ import annotations

import numpy as np
import pytest
from native_damage import damaged
from untrained import untrained_notes

from native_core import DAMAGED, VERSION, Core
from native_player import Player, PlayerError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.writing import encoded
from tiny import Tiny

MOST_WORK = 64 << 20


def play(core: Core, data: bytes) -> str:
    """What becomes of a file: the step that refuses it, or "plays"."""
    step = "open"
    try:
        player = Player(core, data, most_work=MOST_WORK)
        step = "draw"
        z, category, _ = player.draw(seed=1)
        assert np.isfinite(z).all()
        step = "levels"
        levels, samples = player.levels(z)
        assert np.isfinite(levels).all()
        assert 1 <= samples <= player.info.samples
        step = "render"
        audio = player.render(z, seed=2, category=category, samples=min(samples, 4_000))
        assert np.isfinite(audio).all()
        step = "steer"
        if player.info.controls:
            assert np.isfinite(player.steer(z, brightness=0.5)[0]).all()
    except PlayerError as error:
        return step if error.message else f"{step} without words"
    return "plays"


@pytest.fixture(scope="module")
def files(tiny: Tiny) -> list[bytes]:
    contents = Instrument.load(tiny.file).contents
    return [tiny.file.read_bytes(), encoded(contents, bits=8), encoded(untrained_notes(channels=2).contents)]


def test_undamaged_files_play(core: Core, files: list[bytes]) -> None:
    assert [play(core, data) for data in files] == ["plays"] * len(files)


@pytest.mark.parametrize("block", range(6))
def test_damaged_files_are_refused_or_play(core: Core, files: list[bytes], block: int) -> None:
    found = [play(core, damaged(files[seed % len(files)], seed)) for seed in range(60 * block, 60 * block + 60)]
    assert not any("without" in one for one in found)
    assert found.count("open") > 20  # most damage is found


def test_foreign_and_newer_files_have_their_own_words(core: Core, files: list[bytes]) -> None:
    text = files[0]
    for data, status, words in (
        (b"", DAMAGED, "not a timbrespace instrument"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", DAMAGED, "not a timbrespace instrument"),
        (b"\x02\0\0\0\0\0\0\0{}", DAMAGED, "not a timbrespace instrument"),
        (text.replace(b'\\"version\\": 1,', b'\\"version\\": 7,'), VERSION, "newer"),
        (text.replace(b'\\"version\\": 1,', b'\\"version\\": 0,'), VERSION, "train it again"),
    ):
        with pytest.raises(PlayerError, match=words) as fault:
            Player(core, data)
        assert fault.value.status == status
