"""The best path through candidates of pitch, compiled by numba. Import inside functions: importing loads numba and compiles."""

from __future__ import annotations

import numpy as np

from timbrespace.compiled import compiled


@compiled("int64[::1](float64[:, ::1], float64[:, ::1], float64, float64, float64, float64)")
def best_path(octaves: np.ndarray, costs: np.ndarray, unpitched: float, change: float, octave: float, leap: float) -> np.ndarray:
    """Returns the number of the candidate of each frame on the path of least cost, or the number of candidates for none: `(frames,)`.

    octaves, costs: of the candidates `(frames, candidates)`. unpitched: cost of a frame without pitch. change: of beginning or ending a
    pitch. octave: of moving by an octave from one frame to the next; leap: the most that moving costs.
    """
    count, candidates = costs.shape
    back = np.zeros((count, candidates + 1), np.int64)
    total, before = np.empty(candidates + 1), np.empty(candidates + 1)
    before[:candidates] = costs[0]
    before[candidates] = unpitched
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
    path = np.empty(count, np.int64)
    path[count - 1] = int(np.argmin(before))
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
