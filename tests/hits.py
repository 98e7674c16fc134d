"""Decaying sounds of a few tenths of a second, that the tests of the corpus write into folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100


def hit(seconds: float = 0.3, *, seed: int = 0, rate: int = RATE, decay: float = 12.0) -> np.ndarray:
    """Returns a decaying mixture of noise and tone `(time,)`, another one for each seed. decay: per second."""
    rng = np.random.default_rng(seed)
    t = np.arange(max(1, round(seconds * rate))) / rate
    wave = np.sin(2 * np.pi * rng.uniform(60, 3000) * t) + rng.uniform(0.05, 1) * rng.standard_normal(len(t))
    return 0.3 * wave * np.exp(-decay * t)


def save(path: Path, sound: np.ndarray, rate: int = RATE, subtype: str = "PCM_24") -> None:
    """Writes a WAV file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype=subtype)
