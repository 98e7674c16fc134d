"""Longer or shorter without another pitch: a phase-locked vocoder that leaves attacks as they are.

Frame m of the result lies at m · hop and shows the source at another place. Its spectrum is read there (now) and one hop before
(before). Around each peak of the spectrum all bins are turned by one angle, the one that best carries the previous frame of the
result on:

    turn = angle of the sum over bins and channels of (previous frame of the result) · conj(before)

so that partials go on without a break, bins around a peak keep their phases to each other (Laroche and Dolson's identity locking),
and so do the channels. Around onsets the source is passed through at its own speed, with all angles put back at the onset itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from timbrespace.contracts import ConfigError

Wave = NDArray[np.float32]

LEAST, MOST = 0.25, 4.0  # of the length
_WINDOW_S = 0.046  # 2048 samples at 44.1 kHz
_BLOCK_S, _BLOCKS = 0.011, 4  # onsets: a block's level against the loudest of the blocks before it
_RISE_DB, _HEARD_DB = 9.0, 30.0  # an onset rises by so much, and lies at most so far under the loudest block


def stretch(audio: Wave, factor: float, *, sample_rate: int) -> Wave:
    """The sound `factor` times as long at the same pitch: `(time, channels) -> (max(1, round(time · factor)), channels)`.

    factor: 0.25 to 4; at 1 the very same samples come back. Raises ConfigError.
    """
    if not LEAST <= factor <= MOST:  # also refuses NaN
        raise ConfigError(f"the factor of a stretch is {factor}, allowed is {LEAST:g} to {MOST:g}")
    if factor == 1 or not len(audio):
        return audio
    size = max(64, 1 << round(np.log2(_WINDOW_S * sample_rate)))
    hop, length = size // 4, max(1, round(len(audio) * factor))
    places, onsets = _places(audio, length, hop=hop, size=size, sample_rate=sample_rate)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    # Frame by frame: (frames, channels, bins)
    padded = np.pad(audio.T, ((0, 0), (size // 2 + hop, 2 * size))).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    now, before = (np.ascontiguousarray(fft.rfft(views[:, at] * window).swapaxes(0, 1)) for at in (places + hop, places))
    _kernel()(now, before, onsets)
    pieces = fft.irfft(now, size).astype(np.float32) * window
    out = np.zeros((audio.shape[1], (len(places) + 3) * hop), np.float32)
    weight = np.zeros(out.shape[1], np.float32)
    for m, piece in enumerate(pieces):
        out[:, m * hop : m * hop + size] += piece
        weight[m * hop : m * hop + size] += window * window
    inside = slice(size // 2, size // 2 + length)
    return np.ascontiguousarray((out[:, inside] / weight[inside]).T)


def _places(audio: Wave, length: int, *, hop: int, size: int, sample_rate: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where in the source each frame of the result reads, in samples `(frames,)`, and which frames begin an onset `(frames,)`."""
    time = len(audio)
    half = size // 2
    most = 0.5 * min(time, length)  # of the source that passes at its own speed: the rest has to make up for it
    kept: list[tuple[float, float]] = []
    found = [0, *_onsets(audio, sample_rate)]
    for onset in found:
        begin, end = max(float(onset - half), kept[-1][1] if kept else 0.0), float(min(onset + half, time))
        end = min(end, begin + most - sum(b - a for a, b in kept))
        if end > begin:
            kept.append((begin, end))
    own = sum(b - a for a, b in kept)
    speed = (length - own) / max(time - own, 1e-9)
    source, result = [0.0], [0.0]
    for begin, end in kept:
        for place, slope in ((begin, speed), (end, 1.0)):
            result.append(result[-1] + (place - source[-1]) * slope)
            source.append(place)
    source += [float(time), time + 4.0 * size]
    result += [float(length), length + 4.0 * size]
    frames = np.arange(-(-(length + half) // hop) + 1) * hop
    # At either end of the source, windows that hang over it see silence.
    places = np.rint(np.interp(frames, result, source)).astype(np.int64)
    begins = np.zeros(len(places), dtype=bool)
    begins[0] = True
    begins[np.searchsorted(places, found[1:]).clip(0, len(places) - 1)] = True
    return places.clip(0, time + size - 1), begins


def _onsets(audio: Wave, sample_rate: int) -> list[int]:
    """Samples at which a sound strikes anew after its beginning, at least four blocks apart."""
    block = max(8, round(_BLOCK_S * sample_rate))
    count = len(audio) // block
    if count <= _BLOCKS:
        return []
    # Differences stand for the sound: an onset shows in the highs, and the swing of a low tone is not one.
    edges = np.diff(audio, axis=0, prepend=audio[:1])[: count * block].astype(np.float64)
    level = 10 * np.log10(np.square(edges).reshape(count, -1).mean(1) + 1e-30)
    before = np.lib.stride_tricks.sliding_window_view(level, _BLOCKS).max(1)[:-1]
    rise = level[_BLOCKS:] - before
    struck = np.flatnonzero((rise > _RISE_DB) & (level[_BLOCKS:] > level.max() - _HEARD_DB)) + _BLOCKS
    out: list[int] = []
    for k in struck:
        if not out or k * block - out[-1] >= _BLOCKS * block:
            out.append(int(k) * block)
    return out


@cache
def _kernel() -> Callable[..., Any]:
    """The compiled recursion over frames; made when first wanted, for loading numba and compiling take seconds."""
    from numba import njit

    signature = "void(complex64[:, :, ::1], complex64[:, :, ::1], boolean[::1])"
    try:
        compiled: Callable[..., Any] = njit(signature, nogil=True, cache=True)(_lock)
    except (RuntimeError, OSError):  # no folder to write to; a full disk
        compiled = njit(signature, nogil=True)(_lock)
    return compiled


def _lock(now: np.ndarray, before: np.ndarray, onsets: np.ndarray) -> None:
    """Turns `now (frames, channels, bins)` in place so that it goes on from frame to frame; see the head of this file."""
    frames, channels, bins = now.shape
    power = np.zeros(bins)
    for m in range(1, frames):
        if onsets[m]:
            continue
        for k in range(bins):
            power[k] = 0.0
            for c in range(channels):
                power[k] += now[m, c, k].real ** 2 + now[m, c, k].imag ** 2
        begin = 0
        while begin < bins:
            # A region goes up to its peak, down, and ends where the next one rises.
            end = begin + 1
            while end < bins and power[end] >= power[end - 1]:
                end += 1
            while end < bins and power[end] < power[end - 1]:
                end += 1
            real, imag = 0.0, 0.0
            for c in range(channels):
                for k in range(begin, end):
                    a, b = now[m - 1, c, k], before[m, c, k]
                    real += a.real * b.real + a.imag * b.imag
                    imag += a.imag * b.real - a.real * b.imag
            size = np.sqrt(real * real + imag * imag)
            if size > 0:
                turn = np.complex64(complex(real / size, imag / size))
                for c in range(channels):
                    for k in range(begin, end):
                        now[m, c, k] *= turn
            begin = end
