"""Helpers of the tests of live playing: scripts of calls, and measures of what was rendered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import blackmanharris

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


def spectrum_of(wave: Audio, window: Audio, hertz: float, bandwidth: float, *, rate: int = 44_100) -> dict[str, Any]:
    """Arguments of `Live.spectrum`: the spectrum of a wave, scaled to the amplitude of a sine, up to a quarter of the rate."""
    magnitudes = np.abs(np.fft.rfft(wave * window)) * 2 / window.sum()
    return {"magnitudes": magnitudes[: len(wave) // 4 + 1], "spacing": rate / len(wave), "hertz": hertz, "bandwidth": bandwidth}


def tone(hertz: float, count: int) -> dict[str, Any]:
    """Arguments of `Live.spectrum`: harmonics of amplitude 0.2 / n in a Hamming window of 4096 samples at 44.1 kHz."""
    time = np.arange(4096) / 44_100
    wave = sum((0.2 / n * np.sin(2 * np.pi * hertz * n * time + n * n) for n in range(1, count + 1)), np.zeros(4096))
    return spectrum_of(wave, np.hamming(4097)[:-1], hertz, 1.3628)


def line_beside(audio: Audio, hertz: float, step: float, *, rate: int = RATE) -> float:
    """The largest line at a multiple of `step` (Hz) from `hertz`, in dB under the line there."""
    level = np.abs(np.fft.rfft(audio * blackmanharris(len(audio), False)))
    at = [round((hertz + k * step) / rate * len(audio)) for k in range(-8, 9)]
    around = [level[i - 3 : i + 4].max() for i in at if 8 < i < len(level) - 8 and i != at[8]]
    return float(20 * np.log10(max(around) / level[at[8] - 3 : at[8] + 4].max()))
