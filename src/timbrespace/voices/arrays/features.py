"""Recordings as spectrograms of BINS x frames and back: source D's 22.05 kHz, window 2048, hop 862, without the top bin."""

from __future__ import annotations

import numpy as np

from timbrespace.voices.arrays.design import BINS, FRAMES
from timbrespace.voices.frames import Values

RATE, WINDOW, HOP = 22_050, 2_048, 862  # Hz, samples
PIECE = 5 * RATE  # samples, of FRAMES frames
# Of the mu-law, chosen by measure: errors of 0.03 in all values cost 2.2 and 2.6 dB (a cello and a violin), levels over a floor of 80 dB
# 2.4 and 2.6 and the floor itself 0.3 and 0.5 more, mu 255 5.5 and 6.9.
MU = 10_000.0
_HIGHEST = 1.1  # value: 8 dB over the loudest cell of a piece
_CHUNK = 4_096  # frames at a time

assert 1 + PIECE // HOP == FRAMES
assert WINDOW // 2 == BINS


def count_frames(samples: int) -> int:
    """Returns the number of frames of a recording of that many samples: centred on multiples of HOP."""
    return 1 + samples // HOP


def window() -> Values:
    """Returns the periodic Hann window `(WINDOW,)`."""
    return np.hanning(WINDOW + 1)[:-1]


def spectra(wave: Values, first: int, count: int) -> Values:
    """Returns the short-time Fourier transform of frames from number `first`: complex `(count, WINDOW // 2 + 1)`.

    wave: `(time,)` at RATE; zeros before and after. A sine of amplitude 1 has the magnitude WINDOW / 4.
    """
    from scipy.fft import rfft

    start, stop = first * HOP - WINDOW // 2, (first + count - 1) * HOP + WINDOW // 2
    inside = wave[max(start, 0) : max(stop, 0)]
    padded = np.pad(inside, (max(0, -start), max(0, stop - max(start, 0) - len(inside))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    return np.asarray(rfft(pieces * window(), axis=1))


def spectrogram(wave: Values) -> tuple[Values, float]:
    """Returns values `(BINS, frames)`, float16, 0 to 1, of a recording `(time,)` at RATE, and the magnitude that the value 1 is."""
    count = count_frames(len(wave))
    magnitudes = np.empty((BINS, count), np.float32)
    for first in range(0, count, _CHUNK):
        some = min(_CHUNK, count - first)
        magnitudes[:, first : first + some] = np.abs(spectra(wave, first, some)[:, :BINS]).T
    reference = float(magnitudes.max(initial=0.0))
    return to_values(magnitudes, reference).astype(np.float16), reference


def to_values(magnitudes: Values, reference: float) -> Values:
    """Returns magnitudes as values, 0 to 1 (the reference), by the mu-law log(1 + MU x) / log(1 + MU). Any shape; silence is 0."""
    return np.asarray(np.log1p(MU / max(reference, 1e-12) * magnitudes) / np.log1p(MU))


def to_magnitudes(values: Values, reference: float) -> Values:
    """Returns the magnitudes of values; those under 0 are silence, those over _HIGHEST are limited to it."""
    return np.asarray(np.expm1(np.clip(values, 0.0, _HIGHEST) * np.log1p(MU)) / MU * reference)
