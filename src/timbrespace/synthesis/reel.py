"""A reel: many sounds one after another in one file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timbrespace.contracts import ConfigError, ShapeError


def reel(sounds: Sequence[np.ndarray], sample_rate: int, *, gap_seconds: float = 0.25) -> np.ndarray:
    """Returns the sounds one after another with silence between them, `(most channels, sum of times and gaps)`.

    sounds: each `(channels, time)`; mono ones are centred when others are stereo. gap_seconds: 0 to 60 s.
    Raises ConfigError, ShapeError.
    """
    if not sounds:
        raise ConfigError("a reel needs at least one sound, none was given")
    if not 0.0 <= gap_seconds <= 60.0:
        raise ConfigError(f"gap_seconds is {gap_seconds}, allowed is 0 to 60 s")
    if any(sound.ndim != 2 for sound in sounds):
        raise ShapeError("every sound of a reel must have the shape (channels, time)")
    channels = max(sound.shape[0] for sound in sounds)
    if any(sound.shape[0] not in (1, channels) for sound in sounds):
        found = sorted({sound.shape[0] for sound in sounds})
        raise ShapeError(f"sounds of a reel must be mono or all have the same channels, found {found}")
    gap = np.zeros((channels, round(gap_seconds * sample_rate)), sounds[0].dtype)
    parts = []
    for sound in sounds:
        parts += [np.broadcast_to(sound, (channels, sound.shape[1])), gap]
    return np.concatenate(parts[:-1], axis=-1)
