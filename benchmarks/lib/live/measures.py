"""Measures of a held tone: pitch, evenness of level and phase of a line, lines beside it, jumps of a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import blackmanharris

Audio = NDArray[np.float64]


def _moved_down(audio: Audio, hertz: float, sample_rate: int) -> NDArray[np.complex128]:
    """The line at a frequency, moved to 0 Hz, with what is within about 40 Hz of it."""
    turned = audio * np.exp(-2j * np.pi * hertz * np.arange(len(audio)) / sample_rate)
    window = blackmanharris(sample_rate // 20)
    return np.convolve(turned, window / window.sum(), "valid")


def line(audio: Audio, hertz: float, sample_rate: int) -> tuple[float, float, float]:
    """Of the line next to a frequency: how far it is (cents), how much its level varies (dB) and its phase strays (rad), each rms."""
    moved = _moved_down(audio, hertz, sample_rate)
    time, phase = np.arange(len(moved)) / sample_rate, np.unwrap(np.angle(moved))
    slope, start = np.polyfit(time, phase, 1)
    level = 20 * np.log10(np.abs(moved) + 1e-12)
    return float(1200 * np.log2(1 + slope / (2 * np.pi * hertz))), float(level.std()), float((phase - slope * time - start).std())


def beside(audio: Audio, hertz: float, step: float, sample_rate: int) -> float:
    """The largest line at one to sixteen times `step` (Hz) from a harmonic tone's first one, in dB under it; its harmonics are left out."""
    level, bin_of = np.abs(np.fft.rfft(audio * blackmanharris(len(audio), False))), len(audio) / sample_rate
    places = np.array([(hertz + sign * k * step) * bin_of for k in range(1, 17) for sign in (-1, 1)])
    away = np.abs(places - np.maximum(1, np.round(places / (hertz * bin_of))) * hertz * bin_of)
    inside = places[(places > 8) & (places < len(level) - 8) & (away > 16)]
    own = round(hertz * bin_of)
    return float(20 * np.log10(max(level[round(x) - 2 : round(x) + 3].max() for x in inside) / level[own - 3 : own + 4].max()))


def jump(audio: Audio) -> float:
    """The largest second difference: a click is one."""
    return float(np.abs(np.diff(audio, 2)).max())
