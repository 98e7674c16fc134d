"""The integration loop of PGHI, compiled by numba. Import inside functions: importing loads numba and compiles.

Cells whose phase is known wait by level. The loudest is removed and gives its neighbours their phase:

                     bin + 1
                        ^
    frame - 1  <-  (frame, bin)  ->  frame + 1        a step adds the mean gradient of the two cells
                        v
                     bin - 1

`integrate` keeps them in 4,096 lists of 0.05 dB, the newest of a list first, which the native core does too; `integrate_frame` in a binary
max-heap.
"""

from __future__ import annotations

import numpy as np

from timbrespace.compiled import compiled

LISTS = 4_096
_PER_NEPER = np.float32(177.8)  # lists over levels from 1e-10 of the loudest cell to it


@compiled("int64(float32[::1], int32[::1], int64, float32, int64)")
def _push(keys: np.ndarray, cells: np.ndarray, size: int, key: float, cell: int) -> int:
    """Adds `cell` with `key` to a heap of `size` entries and returns the new size."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if keys[parent] >= key:
            break
        keys[k], cells[k] = keys[parent], cells[parent]
        k = parent
    keys[k], cells[k] = key, cell
    return size + 1


@compiled("int64(float32[::1], int32[::1], int64)")
def _pop(keys: np.ndarray, cells: np.ndarray, size: int) -> int:
    """Removes the entry with the largest key from a heap of `size` entries and returns its cell."""
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


def lists_of(level: np.ndarray) -> np.ndarray:
    """Returns the list of every cell, int32: log magnitudes under the loudest cell, float32 from -23.03 to 0, any shape -> the same."""
    return np.minimum((-level * _PER_NEPER).astype(np.int32), LISTS - 1)


@compiled("void(int32[::1], int32[::1], int32[::1], boolean[::1], float32[::1], float32[::1], float64[::1], int64)")
def integrate(
    lists: np.ndarray,
    seeds: np.ndarray,
    order: np.ndarray,
    known: np.ndarray,
    along_bins: np.ndarray,
    along_frames: np.ndarray,
    phase: np.ndarray,
    bins: int,
) -> None:
    """Integrates `phase` in place. All arrays but `seeds` and `order` are `(frames * bins,)`, with cell = frame * bins + bin.

    lists: the list of every cell, 0 to LISTS - 1, loudest first; the cells that wait in one list are visited newest first.
    seeds: cells with a known phase, from which their neighbours are integrated first. order: cells to integrate, loudest first; a cell
    that no louder one has reached starts a region and keeps its phase. known: True for cells that keep their phase; changed in place.
    along_bins, along_frames: gradient of the phase in rad per bin and rad per frame.
    """
    total = len(lists)
    first, rest = np.full(LISTS + 1, -1, np.int32), np.empty(total, np.int32)
    first[LISTS] = 0  # ends the search for a list that is not empty
    lowest = LISTS
    for seed in seeds:
        rest[seed], first[lists[seed]] = first[lists[seed]], seed
        lowest = min(lowest, lists[seed])
    for k in range(-1, len(order)):
        if k >= 0:
            start = order[k]
            if known[start]:
                continue
            known[start] = True
            lowest = lists[start]
            rest[start], first[lowest] = first[lowest], start
        while True:
            while first[lowest] < 0:
                lowest += 1
            if lowest == LISTS:
                break
            cell = first[lowest]
            first[lowest] = rest[cell]
            here, bin_ = phase[cell], cell % bins
            for way in range(4):
                if way == 0:
                    other, step = cell + 1, 0.0
                    if bin_ + 1 == bins or known[other]:
                        continue
                    step = 0.5 * (along_bins[cell] + along_bins[other])
                elif way == 1:
                    other = cell - 1
                    if bin_ == 0 or known[other]:
                        continue
                    step = -0.5 * (along_bins[cell] + along_bins[other])
                elif way == 2:
                    other = cell + bins
                    if other >= total or known[other]:
                        continue
                    step = 0.5 * (along_frames[cell] + along_frames[other])
                else:
                    other = cell - bins
                    if other < 0 or known[other]:
                        continue
                    step = -0.5 * (along_frames[cell] + along_frames[other])
                known[other] = True
                phase[other] = here + step
                own = lists[other]
                rest[other], first[own] = first[own], other
                lowest = min(lowest, own)


@compiled("void(float32[:, ::1], float32, float32[::1], float32[:, ::1], float64[:, ::1])")
def integrate_frame(level: np.ndarray, min_level: float, along_bins: np.ndarray, along_frames: np.ndarray, phase: np.ndarray) -> None:
    """Integrates one new frame from the previous one: `phase[1]` in place.

    level, along_frames, phase: `(2, bins)`, the previous frame and the new one. along_bins: `(bins,)`, of the new frame.
    min_level: cells at or under this level keep their phase and are not integrated from.
    """
    bins = level.shape[1]
    keys, cells = np.empty(2 * bins, np.float32), np.empty(2 * bins, np.int32)
    known = level[1] <= min_level
    remaining, size = bins - known.sum(), 0
    for k in range(bins):  # cells of the previous frame are k, of the new one bins + k
        if level[0, k] > min_level:
            size = _push(keys, cells, size, level[0, k], k)
    while remaining > 0:
        if size == 0:  # no known cell is adjacent to the remaining ones: the loudest of them starts a region
            loudest = -1
            for k in range(bins):
                if not known[k] and (loudest < 0 or level[1, k] > level[1, loudest]):
                    loudest = k
            known[loudest] = True
            remaining -= 1
            size = _push(keys, cells, size, level[1, loudest], bins + loudest)
        cell = _pop(keys, cells, size)
        size -= 1
        if cell < bins:
            if not known[cell]:
                known[cell] = True
                remaining -= 1
                phase[1, cell] = phase[0, cell] + 0.5 * (along_frames[0, cell] + along_frames[1, cell])
                size = _push(keys, cells, size, level[1, cell], bins + cell)
            continue
        bin_ = cell - bins
        if bin_ + 1 < bins and not known[bin_ + 1]:
            known[bin_ + 1] = True
            remaining -= 1
            phase[1, bin_ + 1] = phase[1, bin_] + 0.5 * (along_bins[bin_] + along_bins[bin_ + 1])
            size = _push(keys, cells, size, level[1, bin_ + 1], cell + 1)
        if bin_ > 0 and not known[bin_ - 1]:
            known[bin_ - 1] = True
            remaining -= 1
            phase[1, bin_ - 1] = phase[1, bin_] - 0.5 * (along_bins[bin_] + along_bins[bin_ - 1])
            size = _push(keys, cells, size, level[1, bin_ - 1], cell - 1)
