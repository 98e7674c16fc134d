"""Helpers of the tests of live playing: scripts of calls, and measures of what was rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbrespace.native.live import Live

RATE = 48_000
Audio = NDArray[np.float64]


def rendered(live: Live, frames: int, block: int | Iterable[int] = 4096) -> Audio:
    """`(frames, 2)` of a player, in blocks of these lengths; the last length is repeated."""
    sizes = [block] if isinstance(block, int) else list(block)
    pieces, left = [], frames
    for size in chain(sizes, repeat(sizes[-1])):
        if left <= 0:
            break
        pieces.append(live.render(min(size, left)))
        left -= len(pieces[-1])
    return np.concatenate(pieces).astype(np.float64)


def hertz_of(audio: Audio, near: float, *, rate: int = RATE) -> float:
    """The frequency of the line next to `near`: the slope of its phase over the whole sound."""
    time = np.arange(len(audio)) / rate
    down = audio * np.exp(-2j * np.pi * near * time)
    width = int(rate / near) * 8
    smooth = np.convolve(down, np.hanning(width) / np.hanning(width).sum(), "valid")
    phase = np.unwrap(np.angle(smooth))
    return float(near + np.polyfit(np.arange(len(phase)) / rate, phase, 1)[0] / (2 * np.pi))


def cents(found: float, wanted: float) -> float:
    """How far a frequency is from another."""
    return float(1200 * np.log2(found / wanted))


def midi_hertz(note: float) -> float:
    """Hz of a MIDI number."""
    return float(440 * 2 ** ((note - 69) / 12))


def tone(hertz: float, count: int, *, rate: int = 44_100, n_fft: int = 4096, gain: float = 0.2) -> dict[str, Any]:
    """Arguments of `Live.spectrum`: the spectrum of harmonics 1 / n of a Hamming window, scaled to the amplitude of a sine."""
    time, window = np.arange(n_fft) / rate, np.hamming(n_fft + 1)[:-1]
    wave = sum(gain / n * np.sin(2 * np.pi * hertz * n * time + n * n) for n in range(1, count + 1))
    magnitudes = np.abs(np.fft.rfft(wave * window)) * 2 / window.sum()
    return {"magnitudes": magnitudes[: n_fft // 4 + 1], "spacing": rate / n_fft, "hertz": hertz, "bandwidth": 1.36}


Script = Callable[[Live], None]
