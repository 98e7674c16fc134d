"""Tones with known modulations, which tests compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
RATE = 44_100


def tone(
    hertz: float = 220.0, seconds: float = 2.0, *, vibrato: float = 0.0, vibrato_rate: float = 5.5, tremolo: float = 0.0,
    tremolo_rate: float = 5.0, delay: float = 0.0, noise: float = 0.001, rate: int = RATE,
) -> Wave:  # fmt: skip
    """A tone of twelve partials `(1, time)`; vibrato: cents, tremolo: dB, amplitudes of sines that begin after the delay."""
    time = np.arange(round(seconds * rate)) / rate
    begun = time >= delay
    turns = np.cumsum(hertz * 2 ** (vibrato * begun * np.sin(2 * np.pi * vibrato_rate * (time - delay)) / 1_200)) / rate
    gain = 10 ** (tremolo * begun * np.sin(2 * np.pi * tremolo_rate * (time - delay)) / 20)
    shape = np.minimum(1, np.minimum(time / 0.04, (seconds - time) / 0.06))
    partials = sum(np.cos(2 * np.pi * k * turns + k) / k for k in range(1, 13) if k * hertz < 0.4 * rate)
    rough = noise * np.random.default_rng(0).standard_normal(len(time))
    return np.asarray(0.1 * shape * gain * (partials + rough), np.float32)[None]
