"""The best path through candidates of pitch, compiled by numba. Import inside functions: importing loads numba and compiles."""

from __future__ import annotations

import numpy as np

from timbrespace.compiled import compiled


@compiled("int8[:, ::1](float64[:, ::1], float64[:, ::1], float64[::1], float64, float64, float64, float64)")
def extend_paths(
    octaves: np.ndarray, costs: np.ndarray, before: np.ndarray, unpitched: float, change: float, octave: float, leap: float
) -> np.ndarray:
    """Returns from which candidate of the frame before the path of least cost to each candidate comes `(frames, candidates + 1)`.

    The last candidate is to have no pitch. octaves, costs: of the candidates `(frames, candidates)`; the first frame is the last one of
    the call before. before: costs of the paths to the candidates of that frame `(candidates + 1,)`; replaced by those of the last frame.
    unpitched: cost of a frame without pitch. change: of beginning or ending a pitch. octave: of moving by an octave from one frame to the
    next; leap: the most that moving costs.
    """
    count, candidates = costs.shape
    back = np.zeros((count, candidates + 1), np.int8)
    total = np.empty(candidates + 1)
    for t in range(1, count):
        for k in range(candidates + 1):
            least, at = np.inf, 0
            for j in range(candidates + 1):
                if k == candidates or j == candidates:
                    step = 0.0 if k == j else change
                else:
                    step = min(octave * abs(octaves[t, k] - octaves[t - 1, j]), leap)
                if before[j] + step < least:
                    least, at = before[j] + step, j
            total[k] = least + (unpitched if k == candidates else costs[t, k])
            back[t, k] = at
        before[:] = total
    return back


@compiled("int64(int8[:, ::1], int64[::1])")
def shared_end(back: np.ndarray, states: np.ndarray) -> int:
    """Returns the last frame that all paths have in common, -1 if there is none. states: `arange(candidates + 1)`; replaced by those there.

    back: of `extend_paths`, from the first frame on that is not decided.
    """
    for t in range(len(back) - 1, -1, -1):
        same = True
        for k in range(1, len(states)):
            same = same and states[k] == states[0]
        if same:
            return t
        for k in range(len(states)):
            states[k] = back[t, states[k]]
    return -1


@compiled("int64[::1](int8[:, ::1], int64, int64)")
def path_to(back: np.ndarray, last: int, state: int) -> np.ndarray:
    """Returns the candidates of the path that ends in candidate `state` of frame `last`: `(last + 1,)`."""
    path = np.empty(last + 1, np.int64)
    path[last] = state
    for t in range(last, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
