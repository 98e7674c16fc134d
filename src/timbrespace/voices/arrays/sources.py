"""Which instrument plays a piece: the shape of its spectra against those of the recordings that were learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timbrespace.voices.arrays.design import BINS
from timbrespace.voices.arrays.features import RATE, WINDOW
from timbrespace.voices.frames import Values, hertz_of_mel, mel

CEPSTRA = 20  # of a frame, without the first one, which is its level
_BANDS = 40
_LOW, _HIGH = 80.0, 10_500.0  # Hz
_LOUD = 0.6  # frames whose loudest value is over it count
_LEAST_SPREAD = 0.02


def profile(values: Iterable[Values]) -> Values:
    """Returns mean and deviation of the cepstra of the loud frames `(2, CEPSTRA)` of spectrograms `(BINS, frames)`."""
    found = np.concatenate([cepstra(one) for one in values])
    if not len(found):
        return np.stack([np.zeros(CEPSTRA), np.ones(CEPSTRA)])
    return np.stack([found.mean(0), np.maximum(found.std(0), _LEAST_SPREAD)])


def most_like(values: Values, profiles: Values) -> int:
    """Returns the number of the profile `(instruments, 2, CEPSTRA)` whose normal distributions make a piece `(BINS, frames)` likeliest."""
    found = cepstra(values)
    if not len(found):
        return 0
    mean, spread = profiles[:, 0, None], profiles[:, 1, None]
    return int(np.argmax((-0.5 * np.square((found - mean) / spread) - np.log(spread)).sum(-1).mean(-1)))


def cepstra(values: Values) -> Values:
    """Returns the cepstra of the mel bands of the loud frames `(loud frames, CEPSTRA)` of a spectrogram `(BINS, frames)`."""
    from scipy.fft import dct

    loud = values[:, values.max(axis=0, initial=0.0) > _LOUD].astype(np.float32)
    return np.asarray(dct((_filters() @ loud).T, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1])


def _filters() -> Values:
    """Triangles on the mel scale, each with the sum 1 `(_BANDS, BINS)`."""
    edges = hertz_of_mel(np.linspace(mel(np.array(_LOW)), mel(np.array(_HIGH)), _BANDS + 2))
    bins = np.arange(BINS) * RATE / WINDOW
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(np.minimum(rising, falling), 0.0) + 1e-9
    return np.asarray(weights / weights.sum(1, keepdims=True))
