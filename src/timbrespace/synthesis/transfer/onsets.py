"""Onsets of recordings of any length.

For stretching, whose copied attacks must be few: where a block is much louder than those before it. For windows of models of whole clips:
where many bands become louder at once, also under other sounds that last, and where a melody goes to its next note without a gap. The
levels are compared with the loudest of the neighbouring bands before, which vibrato does not leave (Böck and Widmer 2013, "Maximum
filter vibrato suppression for onset detection").
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from timbrespace.audio import time_stretch
from timbrespace.synthesis.transfer.feed import Feed

_AROUND_SECONDS = 10.0  # in which an onset is compared with the loudest block
_BLOCKS = 1024  # read at once
_N_FFT, _HOP_SECONDS = 2_048, 0.0058
_BANDS_AN_OCTAVE, _LOWEST, _HIGHEST = 24, 50.0, 16_000.0  # Hz
_RANGE_DB, _LAG = 60.0, 3  # under the loudest cell around; frames between which levels are compared
_MEAN_SECONDS, _PEAK_SECONDS = 0.3, 0.05  # around an onset: its flux is over the mean, and the largest
_LEAST_DB, _TIMES = 1.5, 1.6  # mean rise over all bands, and over the mean flux around


def onsets(feed: Feed, sample_rate: int) -> list[int]:
    """Returns the samples at which onsets after the first one start; see `time_stretch.onset_blocks`. Reads the recording to its end."""
    block = time_stretch.onset_block(sample_rate)
    count = feed.samples // block
    levels = np.full(count, -300.0)
    for first in range(0, count, _BLOCKS):
        last = min(count, first + _BLOCKS)
        piece = feed.read(first * block - 1 if first else 0, last * block)
        piece = piece if first else np.concatenate([piece[:, :1], piece], axis=1)
        levels[first:last] = time_stretch.edge_levels(piece.T, block)
    if not count:
        return []
    around = maximum_filter1d(levels, max(1, round(_AROUND_SECONDS * sample_rate / block)))
    return [int(k) * block for k in time_stretch.onset_blocks(levels, around)]


def note_onsets(feed: Feed, sample_rate: int) -> list[int]:
    """Returns the samples at which hits or notes start, after the first one. Reads the recording to its end."""
    hop = max(1, round(_HOP_SECONDS * sample_rate))
    frames = feed.samples // hop + 1
    filters = _filters(sample_rate)
    flux, tops = np.zeros(frames), np.zeros(frames)
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    before = np.full((_LAG, filters.shape[0]), -300.0)
    for first in range(0, frames, _BLOCKS):
        count = min(_BLOCKS, frames - first)
        piece = feed.read(first * hop - _N_FFT // 2, (first + count - 1) * hop + _N_FFT // 2).mean(0)
        views = np.lib.stride_tricks.sliding_window_view(piece, _N_FFT)[::hop][:count]
        levels = 20 * np.log10(np.abs(np.fft.rfft(views * window)).astype(np.float32) @ filters.T + 1e-6)
        every = np.concatenate([before, levels])
        earlier = maximum_filter1d(every[:-_LAG], 3, axis=1)
        top = levels.max(1)
        floor = (top - _RANGE_DB)[:, None]
        flux[first : first + count] = np.maximum(np.maximum(levels, floor) - np.maximum(earlier, floor), 0).mean(1)
        tops[first : first + count] = top
        before = every[-_LAG:]
    around = maximum_filter1d(tops, max(1, round(_AROUND_SECONDS * sample_rate / hop)))
    mean = uniform_filter1d(flux, max(1, round(_MEAN_SECONDS * sample_rate / hop)))
    near = max(1, round(_PEAK_SECONDS * sample_rate / hop))
    is_loud = maximum_filter1d(tops, near) > around - _RANGE_DB
    found = (flux == maximum_filter1d(flux, near)) & (flux > _LEAST_DB) & (flux > _TIMES * mean) & is_loud
    return [int(frame) * hop for frame in np.flatnonzero(found) if frame > _LAG and frame * hop < feed.samples - _N_FFT]


def _filters(sample_rate: int) -> np.ndarray:
    """Triangular bands, evenly spaced in octaves, `(bands, bins)`; those under the width of a bin are left out."""
    top = min(_HIGHEST, 0.45 * sample_rate)
    centres = _LOWEST * 2 ** (np.arange(int(_BANDS_AN_OCTAVE * np.log2(top / _LOWEST))) / _BANDS_AN_OCTAVE)
    places = np.unique(np.rint(centres * _N_FFT / sample_rate).astype(int))
    bins = np.arange(_N_FFT // 2 + 1)
    rows = [
        np.interp(bins, [low, centre, high], [0.0, 1.0, 0.0], left=0, right=0)
        for low, centre, high in zip(places[:-2], places[1:-1], places[2:], strict=True)
    ]
    return np.asarray([row / row.sum() for row in rows], np.float32)
