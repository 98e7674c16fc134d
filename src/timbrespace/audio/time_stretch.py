"""Time stretching without a change of pitch: a phase-locked vocoder that keeps attacks.

Frame m of the result, at m · hop, is read at another position of the source: the spectrum there (now) and one hop earlier (before).
All bins around a peak of the spectrum are rotated by one angle, the one that best continues the previous frame of the result:

    turn = angle of the sum over bins and channels of (previous frame of the result) · conj(before)

so that partials continue without a break, and bins around a peak keep their relative phases (Laroche and Dolson's identity phase
locking), as do the channels. Around onsets the source is copied at its original speed, with all angles reset at the onset itself.
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

LEAST, MOST = 0.25, 4.0  # factors of the length
_WINDOW_S = 0.046  # 2048 samples at 44.1 kHz
_BLOCK_S, _BLOCKS = 0.011, 4  # onsets: the level of a block relative to the loudest of the blocks before it
_RISE_DB, _RANGE_DB = 9.0, 30.0  # an onset is this much louder, and at most this far below the loudest block


def stretch(audio: Wave, factor: float, *, sample_rate: int) -> Wave:
    """The sound `factor` times as long at the same pitch: `(time, channels) -> (max(1, round(time · factor)), channels)`.

    factor: 0.25 to 4; 1 returns the same samples. Raises ConfigError.
    """
    if not LEAST <= factor <= MOST:  # also refuses NaN
        raise ConfigError(f"the factor of a stretch is {factor}, allowed is {LEAST:g} to {MOST:g}")
    if factor == 1 or not len(audio):
        return audio
    size = window_size(sample_rate)
    hop, length = size // 4, max(1, round(len(audio) * factor))
    positions, onsets = frame_positions(len(audio), length, [0, *_onsets(audio, sample_rate)], hop=hop, size=size)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    # Frame by frame: (frames, channels, bins)
    padded = np.pad(audio.T, ((0, 0), (size // 2 + hop, 2 * size))).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    now, before = (np.ascontiguousarray(fft.rfft(views[:, at] * window).swapaxes(0, 1)) for at in (positions + hop, positions))
    lock(now, before, onsets)
    pieces = fft.irfft(now, size).astype(np.float32) * window
    out = np.zeros((audio.shape[1], (len(positions) + 3) * hop), np.float32)
    weight = np.zeros(out.shape[1], np.float32)
    for m, piece in enumerate(pieces):
        out[:, m * hop : m * hop + size] += piece
        weight[m * hop : m * hop + size] += window * window
    inside = slice(size // 2, size // 2 + length)
    return np.ascontiguousarray((out[:, inside] / weight[inside]).T)


def window_size(sample_rate: int) -> int:
    """Returns the samples of a frame at a rate in Hz; frames are a quarter of it apart."""
    return max(64, 1 << round(np.log2(_WINDOW_S * sample_rate)))


def frame_positions(time: int, length: int, onsets: list[int], *, hop: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the position in a source of `time` samples of each frame of the result, `(frames,)`, and which frames start an onset.

    length: samples of the result. onsets: samples of the source, the first is 0.
    """
    half = size // 2
    most = 0.5 * min(time, length)  # of the source is copied at its original speed: the rest has to compensate
    kept: list[tuple[float, float]] = []
    copied = 0.0
    for onset in onsets:
        begin, end = max(float(onset - half), kept[-1][1] if kept else 0.0), float(min(onset + half, time))
        end = min(end, begin + most - copied)
        if end > begin:
            kept.append((begin, end))
            copied += end - begin
    speed = (length - copied) / max(time - copied, 1e-9)
    source, result = [0.0], [0.0]
    for begin, end in kept:
        for position, slope in ((begin, speed), (end, 1.0)):
            result.append(result[-1] + (position - source[-1]) * slope)
            source.append(position)
    source += [float(time), time + 4.0 * size]
    result += [float(length), length + 4.0 * size]
    frames = np.arange(-(-(length + half) // hop) + 1) * hop
    # Windows that extend beyond the source see silence.
    positions = np.rint(np.interp(frames, result, source)).astype(np.int64)
    starts = np.zeros(len(positions), dtype=bool)
    starts[0] = True
    starts[np.searchsorted(positions, onsets[1:]).clip(0, len(positions) - 1)] = True
    return positions.clip(0, time + size - 1), starts


def _onsets(audio: Wave, sample_rate: int) -> list[int]:
    """Samples at which onsets after the first one start, at least four blocks apart."""
    block = onset_block(sample_rate)
    level = edge_levels(np.concatenate([audio[:1], audio]), block)
    return [k * block for k in onset_blocks(level, level.max(initial=-300.0))]


def onset_block(sample_rate: int) -> int:
    """Returns the samples of the blocks in which onsets are looked for."""
    return max(8, round(_BLOCK_S * sample_rate))


def edge_levels(audio: Wave, block: int) -> NDArray[np.float64]:
    """Returns the levels in dB of the differences of neighbouring samples in each whole block: `(1 + time, channels) -> (blocks,)`.

    An onset has high frequencies, and the swing of a low tone is not an onset. The first sample is the one before the blocks.
    """
    count = (len(audio) - 1) // block
    edges = np.diff(audio, axis=0)[: count * block].astype(np.float64)
    return np.asarray(10 * np.log10(np.square(edges).reshape(count, -1).mean(1) + 1e-30)) if count else np.zeros(0)


def onset_blocks(level: NDArray[np.float64], loudest: NDArray[np.float64] | float) -> list[int]:
    """Returns the blocks at which onsets after the first one start, at least four blocks apart. loudest: dB, one or `(blocks,)`."""
    if len(level) <= _BLOCKS:
        return []
    before = np.lib.stride_tricks.sliding_window_view(level, _BLOCKS).max(1)[:-1]
    rise = level[_BLOCKS:] - before
    around = np.broadcast_to(np.asarray(loudest), level.shape)[_BLOCKS:]
    out: list[int] = []
    for k in np.flatnonzero((rise > _RISE_DB) & (level[_BLOCKS:] > around - _RANGE_DB)) + _BLOCKS:
        if not out or k - out[-1] >= _BLOCKS:
            out.append(int(k))
    return out


def lock(now: np.ndarray, before: np.ndarray, onsets: NDArray[np.bool_]) -> None:
    """Rotates the phases of `now (frames, channels, bins)` in place, so that each frame continues the previous one; see above.

    before: spectra one hop earlier, same shape. onsets: frames that start an onset `(frames,)`; the first frame stays as it is.
    """
    _kernel()(now, before, onsets)


@cache
def _kernel() -> Callable[..., Any]:
    """The compiled recursion over frames, made at first use, because loading numba and compiling take seconds."""
    from numba import njit

    signature = "void(complex64[:, :, ::1], complex64[:, :, ::1], boolean[::1])"
    try:
        compiled: Callable[..., Any] = njit(signature, nogil=True, cache=True)(_lock)
    except (RuntimeError, OSError):  # no folder for the cache, or a full disk
        compiled = njit(signature, nogil=True)(_lock)
    return compiled


def _lock(now: np.ndarray, before: np.ndarray, onsets: np.ndarray) -> None:
    """Rotates the phases of `now (frames, channels, bins)` in place, so that each frame continues the previous one; see above."""
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
            # A region rises to its peak, falls, and ends where the next one rises.
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
