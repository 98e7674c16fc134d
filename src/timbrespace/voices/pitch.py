"""The pitch of a melody, frame by frame: candidates of YIN, and the best path through them."""

from __future__ import annotations

import math

import numpy as np

from timbrespace.voices.frames import RATE, Values, count_frames, windows

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


def pitch_course(wave: Values) -> tuple[Values, Values]:
    """Returns the pitch in Hz, 0 where there is none, and the periodicity 0 to 1 of each frame: `(frames,)` each.

    wave: mono `(time,)` at RATE. Candidates are the minima of the normalised difference function (de Cheveigné & Kawahara, YIN, 2002,
    equation 8); the path of least cost through them is found by dynamic programming, as in pYIN (Mauch & Dixon 2014).
    """
    from timbrespace.voices.path import best_path

    count = count_frames(len(wave))
    octaves, depths, best = np.zeros((count, _CANDIDATES)), np.full((count, _CANDIDATES), 1e3), np.ones(count)
    hollow = np.zeros((count, _CANDIDATES))
    shortest = int(RATE / HIGHEST)
    for first in range(0, count, _CHUNK):
        difference = _difference(wave, first, min(_CHUNK, count - first))
        best[first : first + len(difference)] = difference[:, shortest:].min(1)
        for k, row in enumerate(difference):
            middle, left, right = row[shortest + 1 : -1], row[shortest:-2], row[shortest + 2 :]
            lags = np.flatnonzero((middle <= left) & (middle < right)) + shortest + 1
            # The shortest good periods first: a high tone has more multiples of its period than there is room for.
            shortest_first = np.where(row[lags] < _DEEP, lags / len(row) - 1, row[lags])
            lags = lags[np.argsort(shortest_first, kind="stable")[:_CANDIDATES]]
            slope, bend = row[lags - 1] - row[lags + 1], row[lags - 1] - 2 * row[lags] + row[lags + 1]
            shift = np.where(bend > 0, 0.5 * slope / np.maximum(bend, 1e-9), 0.0)
            octaves[first + k, : len(lags)] = np.log2(RATE / (lags + shift))
            depths[first + k, : len(lags)] = row[lags] - 0.25 * slope * shift
        part = slice(first, first + len(difference))
        hollow[part] = _hollow(wave, first, 2.0 ** octaves[part])
    costs = depths + _LONGER * (math.log2(RATE) - octaves) + _MULTIPLE * _multiple(octaves, depths) + _HOLLOW * hollow
    path = best_path(octaves, costs, _UNPITCHED, _CHANGE, _OCTAVE, _LEAP)
    rows, found = np.arange(count), path < _CANDIDATES
    chosen = np.minimum(path, _CANDIDATES - 1)
    pitch = np.where(found, 2.0 ** octaves[rows, chosen], 0.0)
    return pitch, 1 - np.clip(np.where(found, depths[rows, chosen], best), 0.0, 1.0)


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


def _hollow(wave: Values, first: int, hertz: Values) -> Values:
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


def _difference(wave: Values, first: int, count: int) -> Values:
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
