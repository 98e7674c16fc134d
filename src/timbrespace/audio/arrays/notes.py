"""Notes: the pitch of a rendered sound, and the name of a pitch."""

from __future__ import annotations

import math

import numpy as np

from timbrespace.audio.pitch_estimation import estimate_hz, hz_to_midi
from timbrespace.contracts import ConfigError

PITCHED = 0.85  # the confidence from which a synthesised sound counts as a note
_HIGHEST_PITCH = 2500.0  # Hz, of the estimate
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(pitch: float, *, hz: bool = False) -> str:
    """Name of the nearest note, such as `A4`; middle C (MIDI 60) is `C4`.

    pitch: a MIDI number, or a frequency in Hz with `hz=True`. Raises ConfigError.
    """
    number = float(pitch)
    if not math.isfinite(number) or (hz and number <= 0):
        raise ConfigError(f"pitch is {pitch}, allowed are MIDI numbers, or frequencies over 0 Hz with hz=True")
    nearest = math.floor((hz_to_midi(number) if hz else number) + 0.5)
    return f"{_NAMES[nearest % 12]}{nearest // 12 - 1}"


def root_note(audio: np.ndarray, rate: int) -> int | None:
    """Returns the MIDI number of the pitch of a sound `(channels, time)`, None where it is not clear. rate: Hz."""
    hertz, confidence = estimate_hz(audio.mean(axis=0), rate, high=min(_HIGHEST_PITCH, rate / 4))
    return None if hertz is None or confidence < PITCHED else round(hz_to_midi(hertz))
