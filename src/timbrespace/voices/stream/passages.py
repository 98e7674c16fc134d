"""Passages of a piece where several tones sound together, which take the second path."""

from __future__ import annotations

import numpy as np

from timbrespace.voices.frames import HOP, QUIET, RATE, Values, moving_sum
from timbrespace.voices.stream.analysed import Analysed

_WINDOW_SECONDS = 0.2  # of the mean that decides between the two paths
PERIODIC, _EXPLAINED = 0.9, 0.93  # at least, for the path by partials
_FADE_SECONDS = 0.03
_SHORTEST_SECONDS = 0.1  # of a passage on the second path
_LASTING_SECONDS, _LOUD = 0.12, 0.01  # of such frames in a passage, of a power over that share of its greatest


def find_mixed(piece: Analysed, lowest: float) -> Values:
    """Returns whether tones sound together in each frame `(frames,)`: little periodicity, tones beside the partials, or a pitch too low.

    lowest: Hz, of the pitch.
    """
    power = 10 ** (piece.loudness / 10)
    half = round(_WINDOW_SECONDS * RATE / HOP / 2)
    pitched = piece.pitch > 0

    def mean(values: Values) -> Values:
        return moving_sum(values * power, half) / np.maximum(moving_sum(power, half), 1e-30)

    deep = mean((pitched & (piece.pitch < lowest)).astype(float)) > 0.5
    tonal = mean(piece.explained)
    # Breath and bow noise have little periodicity, too, but no tones: they are noise to the model.
    several = (mean(piece.periodicity) < PERIODIC) & (mean(np.where(pitched, 1.0, 1 - piece.explained)) > 0.2)
    found = (several | (tonal < _EXPLAINED) | deep) & (piece.loudness > QUIET)
    # An attack is noise for a moment; tones that sound together last.
    single = ~pitched | (piece.periodicity < PERIODIC) | (piece.explained < _EXPLAINED) | (piece.pitch < lowest)
    result = _long_enough(found)
    for first, last in find_runs(result):
        loud = power[first:last] > power[first:last].max() * _LOUD
        if (single[first:last] & loud).sum() < _LASTING_SECONDS * RATE / HOP:
            result[first:last] = False
    return result


def _long_enough(found: Values) -> Values:
    """The same flags `(frames,)` without passages and gaps shorter than _SHORTEST_SECONDS."""
    least = round(_SHORTEST_SECONDS * RATE / HOP)
    result = found.copy()
    for wanted in (False, True):  # gaps first
        for start, stop in find_runs(result == wanted):
            if stop - start < least and start > 0 and stop < len(result):
                result[start:stop] = not wanted
    return result


def find_runs(flags: Values) -> list[tuple[int, int]]:
    """Returns the first and one after the last of each run of set flags."""
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return [(int(first), int(last)) for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


def share_of_mixed(mixed: Values, places: Values) -> Values:
    """Returns the share of power of the second path in each frame, with fades `(places,)`. places: in the piece, of each frame."""
    share = mixed[np.clip(np.rint(places).astype(int), 0, len(mixed) - 1)].astype(float)
    if not share.any():
        return np.asarray(share)
    width = max(1, round(_FADE_SECONDS * RATE / HOP))
    return np.clip(np.convolve(np.pad(share, width, mode="edge"), np.hanning(2 * width + 3)[1:-1] / (width + 1), "valid"), 0.0, 1.0)
