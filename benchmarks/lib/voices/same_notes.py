"""The notes of a piece, and other instruments of the same sound font that play them: what the best conversion could give."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from real_audio import PROGRAMS, SOUNDFONT, melody, midi, render
from timbrespace.voices.frames import Values
from timbrespace.voices.training import read_wave

Notes = list[tuple[float, float, int, int]]  # start s, length s, pitch, velocity


def notes_of(name: str, piece: int, seconds: float) -> Notes:
    """Returns the notes of a piece that begin 0.2 s or more before `seconds`."""
    return [note for note in melody(name, piece) if note[0] < seconds - 0.2]


def available() -> bool:
    """Whether fluidsynth and the sound font are installed, as real_audio.py installs them."""
    return shutil.which("fluidsynth") is not None and Path(SOUNDFONT).exists()


def played_by(name: str, piece: int, player: str) -> Values:
    """Returns a piece of the instrument `name`, played by `player`: mono `(time,)`."""
    with tempfile.TemporaryDirectory() as folder:
        song, out = Path(folder) / "p.mid", Path(folder) / "p.wav"
        midi(song, PROGRAMS[player], melody(name, piece))
        render(song, out)
        return read_wave(out)
