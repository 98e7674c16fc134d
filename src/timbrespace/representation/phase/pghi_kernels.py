"""The integration loop of PGHI, compiled by numba. Import inside functions: importing loads numba and compiles.

A binary max-heap holds the cells whose phase is known. The loudest is removed and gives its neighbours their phase:

                     bin + 1
                        ^
    frame - 1  <-  (frame, bin)  ->  frame + 1        a step adds the mean gradient of the two cells
                        v
                     bin - 1
"""

from __future__ import annotations

import numpy as np

from timbrespace.compiled import compiled


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


@compiled("void(float32[::1], int32[::1], int32[::1], boolean[::1], float32[::1], float32[::1], float64[::1], int64)")
def integrate(
    level: np.ndarray,
    seeds: np.ndarray,
    order: np.ndarray,
    known: np.ndarray,
    along_bins: np.ndarray,
    along_frames: np.ndarray,
    phase: np.ndarray,
    bins: int,
) -> None:
    """Integrates `phase` in place. All arrays but `order` are `(frames * bins,)`, with cell = frame * bins + bin.

    level: log magnitude, the keys of the heap. seeds: cells with a known phase, from which their neighbours are integrated first.
    order: cells to integrate, loudest first; a cell that no louder one has reached starts a
    region and keeps its phase. known: True for cells that keep their phase; changed in place. along_bins, along_frames: gradient of the
    phase in rad per bin and rad per frame.
    """
    total = len(level)
    most = len(seeds) + len(order) + 1
    keys, cells, size = np.empty(most, np.float32), np.empty(most, np.int32), 0
    for seed in seeds:
        size = _push(keys, cells, size, level[seed], seed)
    for k in range(-1, len(order)):
        if k >= 0:
            start = order[k]
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
