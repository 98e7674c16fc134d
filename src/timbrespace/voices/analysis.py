"""Analysis of a recording of one instrument: partials and noise of every frame, in windows as short as its pitch allows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from timbrespace.voices.frames import BANDS, EDGES, HIGHEST_PARTIAL, HOP, PARTIALS, RATE, Frames, Samples, Values, joined, windows
from timbrespace.voices.pitch import pitch_course

_SIZES = (1_024, 2_048, 4_096)  # samples, of windows
_PERIODS, _NOISE_PERIODS = 5.5, 11.0  # least in a window: for partials (Hann), for the noise between them (Blackman–Harris)
_LOBE, _NOISE_LOBE = 2, 4.2  # bins on either side of a partial that the windows spread it over
_BEND = 0.006  # of the frequency: vibrato spreads high partials further
_WIDEST = 0.35  # of the pitch, on either side of a partial
_MEDIAN = 0.69  # the median of the power of noise, over its mean
PART = 256  # frames at a time
_SHORT, _FEWEST_PERIODS = (256, 512, 1_024, 2_048), 2.05  # windows of the amplitude, and the least that one holds
_SHARPER = (0.03, 2.0)  # least and most of an amplitude over the smeared one
_DIP, _DIP_OCTAVES, _UNSURE = 12, 7 / 12, 0.95  # most frames, least fall, periodicity below, of a fall that is no note
_GAP = 14  # frames without pitch that belong to a note
_PEAK = 12.0  # times the mean of noise: its own peaks are lower
_LEAST = 1e-20


def analyse(wave: Samples) -> Frames:
    """Returns the frames of a recording: mono `(time,)` at RATE, any length; memory grows by 0.5 kB a frame."""
    course = find_course(wave)
    step = 8 * PART
    return joined([analyse_part(wave, course, first, first + step) for first in range(0, len(course.pitch), step)])


class Course(NamedTuple):
    """Values of every frame, before its levels. pitch, periodicity: as in `Frames`. sharper: factors of the amplitudes of partials
    and of noise, which undo that windows smear attacks `(frames,)` each."""

    pitch: Values
    periodicity: Values
    sharper: tuple[Values, Values]


def find_course(wave: Samples, progress: Callable[[float], None] | None = None) -> Course:
    """Returns the course of a recording; memory grows by 40 bytes a frame. progress: called with the share done."""
    pitch, periodicity = pitch_course(wave, progress)
    pitch = _without_dips(_with_attacks(pitch), periodicity)
    amplitude = _amplitude(wave, pitch)
    return Course(pitch, periodicity, (_sharper(amplitude, pitch, _PERIODS), _sharper(amplitude, pitch, _NOISE_PERIODS)))


def analyse_part(wave: Samples, course: Course, start: int, stop: int) -> Frames:
    """Returns frames `start`, a multiple of PART, to before `stop`.

    The amplitude of a partial is from the power around its multiple of the pitch, less that of the noise there. Noise is the median power
    between partials, in mel bands.
    """
    pitch, periodicity = course.pitch[start:stop], course.periodicity[start:stop]
    count = len(pitch)
    noise = np.zeros((count, BANDS), np.float32)
    partials = np.zeros((count, PARTIALS), np.float32)
    explained = np.ones(count, np.float32)
    for size, rows in _by_size(pitch, _NOISE_PERIODS):
        noise[rows], explained[rows] = _noise(_spectra(wave, size, start + rows, _blackman_harris(size)), pitch[rows], size)
    for first in range(0, count, PART):  # tones of chords need the longest window
        rows = first + np.flatnonzero(pitch[first : first + PART] == 0)
        if len(rows):
            power = _spectra(wave, _SIZES[2], start + rows, _blackman_harris(_SIZES[2]))
            explained[rows] = _noise(power, pitch[rows], _SIZES[2])[1]
    for size, rows in _by_size(pitch, _PERIODS):
        power = _spectra(wave, size, start + rows, _hann(size))
        partials[rows] = _partials(power, pitch[rows], noise[rows], size)
    sharper, sharper_noise = course.sharper
    partials *= sharper[start:stop, None]
    noise *= np.square(sharper_noise[start:stop])[:, None]
    return Frames(pitch, periodicity, partials, noise, explained)


def _without_dips(pitch: Values, periodicity: Values) -> Values:
    """The pitch without short falls far under both notes around: two notes that overlap for a moment have a common period."""
    result = pitch.copy()
    octaves = np.log2(np.maximum(pitch, 1.0))
    edges = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(octaves)) > 1 / 12) + 1, [len(pitch)]])
    for first, last in pairwise(edges[1:-1]):
        lower = min(octaves[first - 1], octaves[last]) - octaves[first:last].max()
        if last - first <= _DIP and pitch[first] > 0 and lower > _DIP_OCTAVES and periodicity[first:last].mean() < _UNSURE:
            middle = (first + last) // 2
            result[first:middle], result[middle:last] = pitch[first - 1], pitch[last]
    return result


def _with_attacks(pitch: Values) -> Values:
    """The pitch, also in short gaps: of the note that begins after one, or else of the one before. An attack is noise at first."""
    result = pitch.copy()
    start = None
    for at in range(len(pitch) + 1):
        silent = at < len(pitch) and pitch[at] == 0
        if silent and start is None:
            start = at
        elif not silent and start is not None:
            if at - start <= _GAP:
                result[start:at] = pitch[at] if at < len(pitch) else pitch[start - 1] if start else 0.0
            start = None
    return result


def _amplitude(wave: Samples, pitch: Values) -> Values:
    """The root of the mean square of each frame, in a window of about two periods `(frames,)`."""
    needed = _FEWEST_PERIODS * RATE / np.maximum(pitch, 1e-9)
    sizes = np.where(pitch > 0, np.select([needed <= size for size in _SHORT[:-1]], _SHORT[:-1], _SHORT[-1]), _SHORT[0])
    found = np.zeros(len(pitch))
    for first in range(0, len(pitch), PART):
        chunk = sizes[first : first + PART]
        for size in np.unique(chunk):
            rows = np.flatnonzero(chunk == size)
            pieces = windows(wave, int(size), first, len(chunk))[rows]
            found[first + rows] = np.sqrt((np.square(pieces) @ _hann(int(size))) / _hann(int(size)).sum())
    return found


def _sharper(amplitude: Values, pitch: Values, periods: float) -> Values:
    """Factors that give frames the amplitude of short windows in place of that of the analysis window, which smears attacks `(frames,)`."""
    needed = periods * RATE / np.maximum(pitch, 1e-9)
    result = np.ones(len(pitch))
    for size in _SIZES:
        used = (pitch > 0) & ((needed <= size) if size < _SIZES[-1] else True) & ((needed > size // 2) if size > _SIZES[0] else True)
        if used.any():
            weights = np.hanning(size // HOP + 1)[1:-1]
            smeared = np.convolve(amplitude, weights / weights.sum(), "same") if len(amplitude) > len(weights) else amplitude
            result[used] = np.clip(amplitude[used] / np.maximum(smeared[used], 1e-9), *_SHARPER)
    return result


def _by_size(pitch: Values, periods: float) -> list[tuple[int, Values]]:
    """Numbers of frames in chunks, with the length of their window: the shortest that holds the periods; unpitched frames the shortest."""
    needed = periods * RATE / np.maximum(pitch, 1e-9)
    sizes = np.where(pitch > 0, np.select([needed <= _SIZES[0], needed <= _SIZES[1]], _SIZES[:2], _SIZES[2]), _SIZES[0])
    found = []
    for first in range(0, len(pitch), PART):
        chunk = sizes[first : first + PART]
        found += [(size, first + np.flatnonzero(chunk == size)) for size in _SIZES if (chunk == size).any()]
    return found


def _spectra(wave: Samples, size: int, rows: Values, window: Values) -> Values:
    """The power of frames `(rows, bins)`, over that of the window: white noise of variance 1 has 1."""
    from scipy.fft import rfft

    pieces = windows(wave, size, int(rows[0]), int(rows[-1] - rows[0]) + 1)[rows - rows[0]]
    return np.asarray(np.square(np.abs(rfft(pieces * window, axis=1))) / np.square(window).sum())


def _hann(size: int) -> Values:
    return np.hanning(size + 1)[:-1]


def _blackman_harris(size: int) -> Values:
    angle = 2 * np.pi * np.arange(size) / size
    return np.asarray(0.35875 - 0.48829 * np.cos(angle) + 0.14128 * np.cos(2 * angle) - 0.01168 * np.cos(3 * angle))


def _noise(power: Values, pitch: Values, size: int) -> tuple[Values, Values]:
    """The noise of frames `(rows, BANDS)`, and the share of the power that is not of other tones `(rows,)`.

    Noise is read between the partials; a band without bins there is between its neighbours. Power far over the noise there belongs to other
    tones; as many more of them are hidden by partials.
    """
    bins = np.fft.rfftfreq(size, 1 / RATE)
    places = bins / np.maximum(pitch[:, None], 1e-9)
    away = np.abs(places - np.rint(places)) * pitch[:, None] * size / RATE
    pitched = pitch > 0
    free = np.where((away < _NOISE_LOBE) & (places > 0.5) & pitched[:, None], np.nan, power)
    edges = np.searchsorted(bins, EDGES)
    found, medians = np.full((len(power), BANDS), np.nan), np.zeros((len(power), BANDS))
    for band, (low, high) in enumerate(pairwise(edges)):
        part = free[:, low : max(high, low + 1)]
        enough = (~np.isnan(part)).sum(1) >= min(2, part.shape[1])
        if enough.any():
            medians[enough, band] = np.nanmedian(part[enough], axis=1) / _MEDIAN
            found[enough, band] = np.where(pitched[enough], medians[enough, band], np.nanmean(part[enough], axis=1))
    numbers = np.arange(BANDS)
    for row in found:
        known = ~np.isnan(row)
        if not known.any():
            row[:] = _LEAST
        elif not known.all():
            row[:] = np.exp(np.interp(numbers, numbers[known], np.log(row[known] + _LEAST)))
    floor = np.where(pitched[:, None], found, medians)[:, np.clip(np.searchsorted(EDGES, bins) - 1, 0, BANDS - 1)]
    over = np.where(np.isnan(free) | (bins < EDGES[0]), 0.0, np.maximum(power - _PEAK * floor, 0.0)).sum(1)
    share = (~np.isnan(free)).mean(1)
    other = over / np.maximum(share, 0.1) / np.maximum(power.sum(1), _LEAST)
    return found, np.clip(1 - other, 0.0, 1.0)


def _partials(power: Values, pitch: Values, noise: Values, size: int) -> Values:
    """Amplitudes of partials `(rows, PARTIALS)`."""
    bins = power.shape[1]
    hertz = pitch[:, None] * np.arange(1, PARTIALS + 1)
    there = (hertz > 0) & (hertz < HIGHEST_PARTIAL)
    hertz = np.where(there, hertz, 0.0)
    centre = np.rint(hertz * size / RATE).astype(int)
    reach = np.maximum(_LOBE, (_BEND * hertz * size / RATE).astype(int) + _LOBE)
    reach = np.minimum(reach, np.maximum(_LOBE, (_WIDEST * pitch * size / RATE).astype(int))[:, None])
    low, high = np.clip(centre - reach, 0, bins), np.clip(centre + reach + 1, 0, bins)
    total = np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 0)))
    rows = np.arange(len(power))[:, None]
    band = np.clip(np.searchsorted(EDGES, hertz) - 1, 0, BANDS - 1)
    found = np.maximum(total[rows, high] - total[rows, low] - noise[rows, band] * (high - low), 0.0) * there
    # A sine of amplitude a has the power a²/4 · N over the window's, within its lobe.
    return np.asarray(2 * np.sqrt(found / size))
