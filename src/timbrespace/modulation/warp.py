"""A sound read at places that move through it: resampling by a factor that changes all the time."""

from __future__ import annotations

from functools import cache

import numpy as np

from timbrespace.voices.frames import Values

_TAPS, _PHASES = 64, 2_048
_BETA = 9.0  # of the Kaiser window: side lobes at -90 dB
_CHUNK = 16_384


def read_at(audio: Values, places: Values) -> Values:
    """Returns a sound `(channels, time)` at fractional places in samples `(count,)`: `(channels, count)`.

    Band-limited interpolation with a windowed sinc (Smith & Gossett 1984). Whole numbers give the samples themselves; outside is silence.
    """
    kernels = _kernels()
    padded = np.pad(audio, ((0, 0), (_TAPS, _TAPS)))
    out = np.empty((len(audio), len(places)), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, _TAPS, axis=1)
    for first in range(0, len(places), _CHUNK):
        part = np.clip(places[first : first + _CHUNK], -_TAPS / 2, audio.shape[1] + _TAPS / 2 - 1)
        whole = np.floor(part).astype(np.int64)
        phase = (part - whole) * _PHASES
        low = phase.astype(np.int64)
        share = (phase - low)[:, None]
        kernel = kernels[low] * (1 - share) + kernels[low + 1] * share
        start = whole + _TAPS // 2 + 1
        for channel, view in zip(out, views, strict=True):
            channel[first : first + len(part)] = np.einsum("nt,nt->n", view[start], kernel)
    return out


@cache
def _kernels() -> Values:
    """The kernel at each phase `(phases + 1, taps)`."""
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1) - np.arange(_PHASES + 1)[:, None] / _PHASES
    window = np.i0(_BETA * np.sqrt(np.clip(1 - np.square(offsets / (_TAPS / 2)), 0.0, 1.0))) / np.i0(_BETA)
    kernel = np.sinc(offsets) * window
    kernel /= kernel.sum(axis=1, keepdims=True)
    kernel[0] = kernel[-1] = 0.0
    kernel[0, _TAPS // 2 - 1] = kernel[-1, _TAPS // 2] = 1.0
    return np.asarray(kernel)
