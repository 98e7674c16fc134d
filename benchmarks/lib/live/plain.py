"""Held sounds in the plain way, as a latent synthesiser that MIDI drives is often described: for comparison, faults included.

The bank takes the newest frame at the start of a block, and computes its phases from the time; the inverse transform takes the newest
magnitudes for each frame, stretches their axis, and gives them random or fixed phases; a gate opens and closes with a block.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float64]
Frames = Callable[[int], Audio]  # sample -> the newest frame
Note = Callable[[int], float]  # sample -> Hz
Gate = Callable[[int], bool]  # sample -> whether the key is down
N_FFT, HOP = 2048, 512


def plain_bank(frames: Frames, hertz: Note, gate: Gate, length: int, *, block: int, sample_rate: int) -> Audio:
    """Returns `(length,)`: harmonics whose amplitudes are a frame `(count,)`."""
    out = np.zeros(length)
    for start in range(0, length, block):
        if not gate(start):
            continue
        time, amplitudes = np.arange(start, min(start + block, length)) / sample_rate, frames(start)
        turns = np.outer(np.arange(1, len(amplitudes) + 1), hertz(start) * time)
        out[start : start + block] = amplitudes @ np.sin(2 * np.pi * turns)
    return out


def plain_inverse(
    frames: Frames, spacing: float, pitch: float, hertz: Note, gate: Gate, length: int, *, block: int, sample_rate: int, random: bool
) -> Audio:  # fmt: skip
    """Returns `(length,)`: frames are magnitudes `(bins,)`, `spacing` Hz apart, of a sound of `pitch` Hz; random: new phases in each."""
    out, window, noise = np.zeros(length + 2 * N_FFT), np.hanning(N_FFT + 1)[:-1], np.random.default_rng(0)
    bins, phases = np.arange(N_FFT // 2 + 1) * sample_rate / N_FFT, noise.uniform(0, 2 * np.pi, N_FFT // 2 + 1)
    for start in range(-N_FFT, length, HOP):
        at = max(0, start)
        magnitudes = frames(at)
        moved = np.interp(bins * pitch / hertz(at), np.arange(len(magnitudes)) * spacing, magnitudes, right=0.0)
        if random:
            phases = noise.uniform(0, 2 * np.pi, len(bins))
        out[start + N_FFT : start + 2 * N_FFT] += window * np.fft.irfft(moved * np.exp(1j * phases)) * N_FFT / 8
    audio = out[N_FFT : N_FFT + length]
    for start in range(0, length, block):
        audio[start : start + block] *= gate(start)
    return audio
