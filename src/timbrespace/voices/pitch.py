"""The pitch of a melody, frame by frame: candidates of YIN, and the best path through them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from timbrespace.voices.frames import RATE, Samples, Values, count_frames, windows

LOWEST, HIGHEST = 50.0, 2_500.0  # Hz
_CANDIDATES = 8  # in a frame
_CHUNK = 512  # frames at a time
_LONGER = 0.02  # cost of an octave down: of equal candidates the shortest period is the pitch
_MULTIPLE = 0.3  # cost of a multiple of a period
_NEAR, _DEEP = 0.03, 0.15  # octaves; depth of a minimum that is a period
_DEEPER = (0.02, 0.06)  # by which a minimum is that of a multiple, or is not
_HOLLOW = 0.3  # cost of a period without its first two partials: two tones have one in common
_HOLLOW_DB = (20.0, 30.0)  # of the next four partials over the first two
_SPECTRUM = 2_048  # samples
_UNPITCHED, _CHANGE = 0.5, 0.15  # costs of a frame without pitch; of beginning or ending one
_OCTAVE, _LEAP = 4.0, 0.6  # costs of moving by an octave in one frame, and the most that a leap costs


def pitch_course(wave: Samples, progress: Callable[[float], None] | None = None) -> tuple[Values, Values]:
    """Returns the pitch in Hz, 0 where there is none, and the periodicity 0 to 1 of each frame: `(frames,)` each.

    wave: mono `(time,)` at RATE. progress: called with the share done. Candidates are the minima of the normalised difference function
    (de Cheveigné & Kawahara, YIN, 2002, equation 8); the path of least cost through them is found by dynamic programming, as in pYIN
    (Mauch & Dixon 2014).
    """
    count, paths = count_frames(len(wave)), _Paths()
    for first in range(0, count, _CHUNK):
        octaves, depths, best = _candidates(_difference(wave, first, min(_CHUNK, count - first)))
        paths.add(octaves, depths, best, _hollow(wave, first, 2.0**octaves))
        if progress is not None:
            progress(first / count)
    return paths.finish()


def _candidates(difference: Values) -> tuple[Values, Values, Values]:
    """Octaves over 1 Hz and depths of the candidates of each frame `(frames, candidates)`, and the least difference `(frames,)`."""
    shape = (len(difference), _CANDIDATES)
    octaves, depths = np.zeros(shape), np.full(shape, 1e3)
    shortest = int(RATE / HIGHEST)
    for k, row in enumerate(difference):
        middle, left, right = row[shortest + 1 : -1], row[shortest:-2], row[shortest + 2 :]
        lags = np.flatnonzero((middle <= left) & (middle < right)) + shortest + 1
        # The shortest good periods first: a high tone has more multiples of its period than there is room for.
        shortest_first = np.where(row[lags] < _DEEP, lags / len(row) - 1, row[lags])
        lags = lags[np.argsort(shortest_first, kind="stable")[:_CANDIDATES]]
        slope, bend = row[lags - 1] - row[lags + 1], row[lags - 1] - 2 * row[lags] + row[lags + 1]
        shift = np.where(bend > 0, 0.5 * slope / np.maximum(bend, 1e-9), 0.0)
        octaves[k, : len(lags)] = np.log2(RATE / (lags + shift))
        depths[k, : len(lags)] = row[lags] - 0.25 * slope * shift
    return octaves, depths, difference[:, shortest:].min(1)


class _Paths:
    """The path of least cost, decided as far as all paths agree: of a long recording only the last candidates are in memory."""

    def __init__(self) -> None:
        self._totals: Values | None = None
        self._last: tuple[Values, Values] | None = None  # octaves and costs of the last frame
        self._waiting: tuple[Values, ...] = ()  # back pointers, octaves, depths, least differences of the frames that are not decided
        self._decided: list[tuple[Values, Values]] = []

    def add(self, octaves: Values, depths: Values, best: Values, hollow: Values) -> None:
        """Adds the candidates of frames."""
        from timbrespace.voices.path import extend_paths, shared_end

        costs = depths + _LONGER * (math.log2(RATE) - octaves) + _MULTIPLE * _multiple(octaves, depths) + _HOLLOW * hollow
        if self._totals is None or self._last is None:
            self._totals = np.append(costs[0], _UNPITCHED)
            back = extend_paths(octaves, costs, self._totals, _UNPITCHED, _CHANGE, _OCTAVE, _LEAP)
        else:
            both = [np.concatenate([before, now]) for before, now in zip(self._last, (octaves, costs), strict=True)]
            back = extend_paths(*both, self._totals, _UNPITCHED, _CHANGE, _OCTAVE, _LEAP)[1:]
        self._last = octaves[-1:], costs[-1:]
        new = (back, octaves, depths, best)
        self._waiting = tuple(map(np.concatenate, zip(self._waiting, new, strict=True))) if self._waiting else new
        states = np.arange(_CANDIDATES + 1)
        end = shared_end(np.ascontiguousarray(self._waiting[0]), states)
        if end >= 0:
            self._decide(end, int(states[0]))

    def finish(self) -> tuple[Values, Values]:
        """Returns pitch and periodicity of all frames."""
        if self._waiting and self._totals is not None and len(self._waiting[0]):
            self._decide(len(self._waiting[0]) - 1, int(np.argmin(self._totals)))
        pitch, periodicity = (np.concatenate(values) for values in zip(*self._decided, strict=True))
        return pitch, periodicity

    def _decide(self, end: int, state: int) -> None:
        """Takes the frames up to `end` from those that wait."""
        from timbrespace.voices.path import path_to

        back, octaves, depths, best = (values[: end + 1] for values in self._waiting)
        self._waiting = tuple(values[end + 1 :] for values in self._waiting)
        path = path_to(np.ascontiguousarray(back), end, state)
        rows, found = np.arange(end + 1), path < _CANDIDATES
        chosen = np.minimum(path, _CANDIDATES - 1)
        pitch = np.where(found, 2.0 ** octaves[rows, chosen], 0.0)
        self._decided.append((pitch, 1 - np.clip(np.where(found, depths[rows, chosen], best), 0.0, 1.0)))


def _multiple(octaves: Values, depths: Values) -> Values:
    """How surely the period of each candidate is a multiple of that of another one, 0 to 1: `(frames, candidates)`.

    A period that is not a whole number of samples has a multiple that nearly is, with a little deeper minimum. One that is much deeper is
    of a tone with a loud octave.
    """
    found = np.zeros(octaves.shape)
    for k in range(octaves.shape[1]):
        ratio = octaves[:, k, None] - octaves
        surer = np.clip(1 - (depths[:, k, None] - depths - _DEEPER[0]) / (_DEEPER[1] - _DEEPER[0]), 0.0, 1.0)
        for times in (2, 3, 4, 5):
            multiple = np.abs(ratio - math.log2(times)) < _NEAR
            good = depths[:, k, None] < np.maximum(_DEEP, depths + 0.02)
            found = np.maximum(found, multiple * good * surer)
    return found


def _hollow(wave: Samples, first: int, hertz: Values) -> Values:
    """How surely each candidate `(frames, candidates)` lacks its first two partials, 0 to 1."""
    from scipy.fft import rfft

    pieces = windows(wave, _SPECTRUM, first, len(hertz)) * np.hanning(_SPECTRUM + 1)[:-1]
    power = np.square(np.abs(rfft(pieces, axis=1)))
    power = np.maximum(np.maximum(power[:, :-2], power[:, 1:-1]), power[:, 2:])  # of bin 1 on, the greatest of three
    rows = np.arange(len(hertz))[:, None]

    def level(number: int) -> Values:
        at = np.rint(number * hertz * _SPECTRUM / RATE).astype(int) - 1
        return power[rows, np.clip(at, 0, power.shape[1] - 1)] + 1e-12

    low, high = level(1) + level(2), level(3) + level(4) + level(5) + level(6)
    return np.clip((10 * np.log10(high / low) - _HOLLOW_DB[0]) / (_HOLLOW_DB[1] - _HOLLOW_DB[0]), 0.0, 1.0)


def _difference(wave: Samples, first: int, count: int) -> Values:
    """The cumulative mean normalised difference function of frames `(count, lags)`, 0 to about 2; silence gives 1."""
    from scipy.fft import irfft, next_fast_len, rfft

    lags = math.ceil(RATE / LOWEST) + 2
    width = max(lags, 1_024)
    pieces = windows(wave, width + lags, first, count).astype(np.float64)
    size = next_fast_len(2 * width + lags, real=True)
    correlation = irfft(np.conj(rfft(pieces[:, :width], size)) * rfft(pieces, size), size)[:, :lags]
    energy = np.cumsum(np.pad(np.square(pieces), ((0, 0), (1, 0))), axis=1)
    energy = energy[:, width : width + lags] - energy[:, :lags]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0.0)
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, lags)
    result = np.ones_like(difference)
    loud = mean > 1e-9
    result[:, 1:][loud] = difference[:, 1:][loud] / mean[loud]
    return result
