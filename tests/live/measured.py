"""What tests of playing render and measure."""

from __future__ import annotations

import numpy as np

from timbrespace.live import Engine

RATE = 48_000


def in_blocks(engine: Engine, samples: int, block: int) -> list[np.ndarray]:
    """Renders samples by blocks of at most this length: pieces `(n, 2)`."""
    pieces = []
    while samples:
        pieces.append(engine.render(min(block, samples)))
        samples -= len(pieces[-1])
    return pieces


def strongest(audio: np.ndarray) -> float:
    """The frequency of the strongest sine of audio `(time,)` at `RATE`, in Hz."""
    size = 2**19
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size))
    top = int(spectrum.argmax())
    left, middle, right = np.log(spectrum[top - 1 : top + 2])
    return float((top + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / size)
