"""Compiled kernels that spread phase over an STFT from its loudest cells outward. Import late: this loads numba and compiles.

A binary heap keeps the cells whose phase is known, loudest on top; each in turn hands its phase on to its neighbours:

                     bin + 1
                        ^
    frame - 1  <-  (frame, bin)  ->  frame + 1        a step adds the mean slope of the two cells it joins
                        v
                     bin - 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def _compiled(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compiles a function at once for one signature and keeps the machine code on disk, or in memory where no cache can be written."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            compiled: Callable[..., Any] = njit(signature, cache=True, nogil=True)(function)
        except (RuntimeError, OSError):  # no folder to write to; a full disk
            compiled = njit(signature, nogil=True)(function)
        return compiled

    return decorate


@_compiled("int64(float32[::1], int32[::1], int64, float32, int64)")
def _push(keys: np.ndarray, cells: np.ndarray, size: int, key: float, cell: int) -> int:
    """Puts `cell` with `key` on a heap of `size` entries; returns the new size."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if keys[parent] >= key:
            break
        keys[k], cells[k] = keys[parent], cells[parent]
        k = parent
    keys[k], cells[k] = key, cell
    return size + 1


@_compiled("int64(float32[::1], int32[::1], int64)")
def _pop(keys: np.ndarray, cells: np.ndarray, size: int) -> int:
    """Takes the top off a heap of `size` entries, which then holds one fewer; returns its cell."""
    top = cells[0]
    last = size - 1
    key, cell = keys[last], cells[last]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= last:
            break
        if child + 1 < last and keys[child + 1] > keys[child]:
            child += 1
        if keys[child] <= key:
            break
        keys[k], cells[k] = keys[child], cells[child]
        k = child
    keys[k], cells[k] = key, cell
    return top


@_compiled("void(float32[::1], int32[::1], boolean[::1], float32[::1], float32[::1], float64[::1], int64)")
def spread(
    level: np.ndarray,
    order: np.ndarray,
    known: np.ndarray,
    along_bins: np.ndarray,
    along_frames: np.ndarray,
    phase: np.ndarray,
    bins: int,
) -> None:
    """Fills in `phase` in place; all arrays but `order` are `(frames * bins,)`, cell = frame * bins + bin.

    level: loudness that decides who comes first. order: cells to fill, loudest first; each that no louder one has reached
    starts an island of its own and keeps the phase it has. known: True where nothing is to be filled; changed in place.
    along_bins, along_frames: slope of the phase in rad a bin and rad a frame.
    """
    total = len(level)
    keys, cells = np.empty(len(order) + 1, np.float32), np.empty(len(order) + 1, np.int32)
    for start in order:
        if known[start]:
            continue
        known[start] = True
        size = _push(keys, cells, 0, level[start], start)
        while size > 0:
            cell = _pop(keys, cells, size)
            size -= 1
            here, bin_ = phase[cell], cell % bins
            if bin_ + 1 < bins and not known[cell + 1]:
                known[cell + 1] = True
                phase[cell + 1] = here + 0.5 * (along_bins[cell] + along_bins[cell + 1])
                size = _push(keys, cells, size, level[cell + 1], cell + 1)
            if bin_ > 0 and not known[cell - 1]:
                known[cell - 1] = True
                phase[cell - 1] = here - 0.5 * (along_bins[cell] + along_bins[cell - 1])
                size = _push(keys, cells, size, level[cell - 1], cell - 1)
            after, before = cell + bins, cell - bins
            if after < total and not known[after]:
                known[after] = True
                phase[after] = here + 0.5 * (along_frames[cell] + along_frames[after])
                size = _push(keys, cells, size, level[after], after)
            if before >= 0 and not known[before]:
                known[before] = True
                phase[before] = here - 0.5 * (along_frames[cell] + along_frames[before])
                size = _push(keys, cells, size, level[before], before)


@_compiled("void(float32[:, ::1], float32, float32[::1], float32[:, ::1], float64[:, ::1])")
def spread_frame(level: np.ndarray, least: float, along_bins: np.ndarray, along_frames: np.ndarray, phase: np.ndarray) -> None:
    """The same for one new frame, given the one before: fills in `phase[1]` in place.

    level, along_frames, phase: `(2, bins)`, the frame before and the new one. along_bins: `(bins,)`, of the new frame.
    least: cells at or under this level hand nothing on and keep the phase they have.
    """
    bins = level.shape[1]
    keys, cells = np.empty(2 * bins, np.float32), np.empty(2 * bins, np.int32)
    known = level[1] <= least
    left, size = bins - known.sum(), 0
    for k in range(bins):  # cells of the frame before are k, of the new one bins + k
        if level[0, k] > least:
            size = _push(keys, cells, size, level[0, k], k)
    while left > 0:
        if size == 0:  # nothing reaches what is left: its loudest cell starts an island
            loudest = -1
            for k in range(bins):
                if not known[k] and (loudest < 0 or level[1, k] > level[1, loudest]):
                    loudest = k
            known[loudest] = True
            left -= 1
            size = _push(keys, cells, size, level[1, loudest], bins + loudest)
        cell = _pop(keys, cells, size)
        size -= 1
        if cell < bins:
            if not known[cell]:
                known[cell] = True
                left -= 1
                phase[1, cell] = phase[0, cell] + 0.5 * (along_frames[0, cell] + along_frames[1, cell])
                size = _push(keys, cells, size, level[1, cell], bins + cell)
            continue
        bin_ = cell - bins
        if bin_ + 1 < bins and not known[bin_ + 1]:
            known[bin_ + 1] = True
            left -= 1
            phase[1, bin_ + 1] = phase[1, bin_] + 0.5 * (along_bins[bin_] + along_bins[bin_ + 1])
            size = _push(keys, cells, size, level[1, bin_ + 1], cell + 1)
        if bin_ > 0 and not known[bin_ - 1]:
            known[bin_ - 1] = True
            left -= 1
            phase[1, bin_ - 1] = phase[1, bin_] - 0.5 * (along_bins[bin_] + along_bins[bin_ - 1])
            size = _push(keys, cells, size, level[1, bin_ - 1], cell - 1)
