"""`timbrespace play --walk` and `--midi FILE`: rendered without a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from shell import Shell

KICKS = b"".join(bytes((delta,)) + message for _ in range(4) for delta, message in ((0, b"\x99\x24\x64"), (96, b"\x89\x24\x00")))
SONG = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk" + (len(KICKS) + 4).to_bytes(4) + KICKS + b"\0\xff\x2f\0"  # four beats at 120 a minute


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mid"
    path.write_bytes(SONG)
    return path


def test_a_midi_file_is_rendered_to_its_end(shell: Shell, drums_file: Path, song: Path, tmp_path: Path) -> None:
    shell("play", drums_file, "--midi", song, "--offline", "--record", tmp_path / "out.wav", "--rate", "44100")
    audio, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == 44_100
    assert 2.0 <= len(audio) / rate <= 12.0
    loud = [np.abs(audio[beat * rate // 2 :][: rate // 20]).max() for beat in range(4)]
    assert min(loud) > 0.01


def test_a_walk_is_rendered_again_bit_by_bit(shell: Shell, drums_file: Path, song: Path, tmp_path: Path) -> None:
    for name, more in (("a", []), ("b", []), ("c", ["--seed", 5]), ("d", ["--midi", song])):
        options = ["--walk", "kits", "--bounds", "-1:1", "--seconds", 3, "--seed", 4, "--offline", "--record", tmp_path / f"{name}.wav"]
        shell("play", drums_file, *options, *more)
    a, b, c, d = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in "abcd")
    assert len(a) == 3 * 48_000
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert not np.array_equal(a, d)
    assert np.abs(a).max() > 0.01


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--walk", "kits", "--offline", "--record", "x.wav"], "needs --seconds"),
        (["--offline", "--record", "x.wav"], "needs something that plays"),
        (["--walk", "kits", "--offline", "--seconds", "1"], "give --record"),
        (["--walk", "songs"], "allowed are kits and notes"),
        (["--bounds", "-1:1"], "give --walk kits or --walk notes too"),
        (["--tempo", "100"], "give --walk kits or --walk notes too"),
        (["--walk", "kits", "--tempo", "5"], "--tempo is 5, allowed is a number from 10 to 400"),
        (["--walk", "notes", "--offline", "--record", "x.wav", "--seconds", "1"], "needs an instrument of notes"),
        (["--walk", "kits", "--bounds", "pc1", "--offline", "--record", "x.wav", "--seconds", "1"], "is no range"),
        (["--midi", "nowhere.mid", "--offline", "--record", "x.wav"], "nowhere.mid does not exist"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    shell: Shell, drums_file: Path, options: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in shell("play", drums_file, *options, code=2)
    assert not Path("x.wav").exists()
