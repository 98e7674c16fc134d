"""Melodies that tests compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timbrespace.voices.frames import RATE

Wave = NDArray[np.float64]
NOTES = (57, 60, 64, 67, 69, 62, 72, 59)


def melody(
    partials: tuple[float, ...], notes: tuple[int, ...] = NOTES, *, seconds: float = 0.8, vibrato: float = 0.0, seed: int = 0
) -> Wave:
    """A melody `(time,)` at RATE: each note with attack and release, partials of these amplitudes, a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    shape = np.minimum(1, np.minimum(time / 0.03, (seconds - time) / 0.05))
    found = []
    for index, note in enumerate(notes):
        hertz = 440 * 2 ** ((note - 69) / 12) * 2 ** (vibrato * np.sin(2 * np.pi * 5 * time) / 1200)
        turns = np.cumsum(hertz) / RATE
        sound = sum(level * np.cos(2 * np.pi * k * turns + k) for k, level in enumerate(partials, 1))
        found.append(0.1 * (0.5 + index % 3) * shape * (sound + 0.002 * rng.standard_normal(len(time))))
    return np.concatenate(found)


REED = tuple(1 / k if k % 2 else 0.001 for k in range(1, 16))
STRING = tuple(1 / k for k in range(1, 16))
