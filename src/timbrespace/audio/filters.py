"""Filters for many signals at once, each with its own cut-off and resonance: biquads and the four-pole ladder.

A filter is an array of second-order sections `(..., sections, 6)` in scipy's form (b0 b1 b2 a0 a1 a2, a0 = 1); `run` applies it. All
sections are stable for every allowed setting. Frequencies in Hz.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from timbrespace.contracts import ConfigError, ShapeError

Array = NDArray[np.float64]

KINDS = ("low", "high", "band", "notch", "peak")
SELF_OSCILLATION = 4.0  # the ladder's feedback from which on it oscillates
_EDGE = 0.4999  # of the sample rate: the highest cut-off


def biquad(kind: str, hertz: ArrayLike, q: ArrayLike, *, sample_rate: float, gain_db: ArrayLike = 0.0) -> Array:
    """Second-order filters after the audio-EQ cookbook (bilinear transform, cut-off kept): `(...) -> (..., 1, 6)`.

    kind: 'low' or 'high' pass (gain `q` at the cut-off), 'band' pass (0 dB at the centre), 'notch', or 'peak' (`gain_db` at the
    centre). hertz, q and gain_db are broadcast against each other. Raises ConfigError.
    """
    if kind not in KINDS:
        raise ConfigError(f"there is no biquad of the kind {kind!r}; known are: {', '.join(KINDS)}")
    hertz, q, gain = np.broadcast_arrays(_cutoffs(hertz, sample_rate), _numbers("q", q, 1e-3, 1e6), _numbers("gain_db", gain_db, -120, 120))
    w = 2 * np.pi * hertz / sample_rate
    cosine, alpha = np.cos(w), np.sin(w) / (2 * q)
    one, two = np.ones_like(w), -2 * cosine
    above, below = alpha, alpha  # in the zeros, in the poles
    if kind == "low":
        zeros = [(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2]
    elif kind == "high":
        zeros = [(1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2]
    elif kind == "band":
        zeros = [alpha, 0 * one, -alpha]
    elif kind == "notch":
        zeros = [one, two, one]
    else:
        amplitude = 10 ** (gain / 40)
        above, below = alpha * amplitude, alpha / amplitude
        zeros = [1 + above, two, 1 - above]
    a0 = 1 + below
    return np.stack([zeros[0] / a0, zeros[1] / a0, zeros[2] / a0, one, two / a0, (1 - below) / a0], axis=-1)[..., None, :]


def ladder(hertz: ArrayLike, feedback: ArrayLike, *, sample_rate: float) -> Array:
    """The linear four-pole ladder, H(s) = 1 / (k + (1 + s/w)^4), by bilinear transform with the cut-off kept: `(...) -> (..., 2, 6)`.

    feedback: k from 0 (four plain poles, -12 dB at the cut-off) to just under 4 (self-oscillation). The gain is 1 / (1 + k) at
    0 Hz, and 1 / (4 - k) with a phase of 180° at the cut-off. Raises ConfigError.
    """
    hertz, k = np.broadcast_arrays(_cutoffs(hertz, sample_rate), _numbers("feedback", feedback, 0.0, SELF_OSCILLATION * (1 - 1e-6)))
    g = np.tan(np.pi * hertz / sample_rate)
    sections = []
    for turn in (1, 3):  # the poles -1 + k^(1/4) e^(±i π/4), then those at 3π/4
        pole = -1 + k**0.25 * np.exp(0.25j * np.pi * turn)
        z = (1 + g * pole) / (1 - g * pole)
        a1, a2 = -2 * z.real, np.abs(z) ** 2
        one = np.ones_like(g)
        gain = (1 + a1 + a2) / 4 / (1 if turn == 1 else 1 + k)  # 0 Hz: 1 in the first section, 1 / (1 + k) in the second
        sections.append(np.stack([gain, 2 * gain, gain, one, a1, a2], axis=-1))
    return np.stack(sections, axis=-2)


def feedback_of(q: ArrayLike) -> Array:
    """The ladder's feedback k = 4 (1 - 1/q) for a resonance q >= 1: the gain at the cut-off is then q / 4."""
    return SELF_OSCILLATION * (1 - 1 / _numbers("q", q, 1.0, 1e6))


def settling(sections: Array, *, fall_db: float = 120.0) -> NDArray[np.int64]:
    """Samples until the impulse response of a filter has decayed by `fall_db`: `(..., sections, 6) -> (...)`."""
    a1, a2 = sections[..., 4], sections[..., 5]
    root = np.sqrt((a1 / 2) ** 2 - a2 + 0j)
    radius = np.maximum(np.abs(-a1 / 2 + root), np.abs(-a1 / 2 - root)).max(axis=-1)
    # Four coincident poles decay as n³ r^n: ten more time constants and a few samples cover that.
    constant = -1 / np.log(np.clip(radius, 1e-12, 1 - 1e-12))
    return np.asarray(np.ceil((fall_db / 20 * np.log(10) + 10) * constant + 64), dtype=np.int64)


def run(waves: ArrayLike, sections: Array) -> Array:
    """Filtered signals of the shape of `waves`: `(batch, time)` with filters `(batch, sections, 6)`, or `(time,)` with `(sections, 6)`.

    The initial state is zero. Each signal is filtered alone, so that its result does not depend on the others. Raises ShapeError.
    """
    x = np.asarray(waves, dtype=np.float64)
    if sections.ndim != x.ndim + 1 or x.ndim not in (1, 2) or sections.shape[:-2] != x.shape[:-1] or sections.shape[-1] != 6:
        raise ShapeError(f"signals {x.shape} and filters {sections.shape} do not match: (batch, time) needs (batch, sections, 6)")
    if x.ndim == 1:
        return np.asarray(signal.sosfilt(sections, x))
    return np.stack([signal.sosfilt(sos, row) for sos, row in zip(sections, x, strict=True)]) if len(x) else x


def response(sections: Array, hertz: ArrayLike, *, sample_rate: float) -> NDArray[np.complex128]:
    """Complex gain of a filter `(..., sections, 6)` at frequencies `(frequencies,)` in Hz: `(..., frequencies)`."""
    z = np.exp(-2j * np.pi * np.atleast_1d(np.asarray(hertz, dtype=np.float64)) / sample_rate)  # one sample's delay
    b0, b1, b2, a0, a1, a2 = (sections[..., k, None] for k in range(6))
    return np.asarray(((b0 + z * (b1 + z * b2)) / (a0 + z * (a1 + z * a2))).prod(axis=-2))


def driven_ladder(waves: ArrayLike, hertz: ArrayLike, feedback: ArrayLike, *, sample_rate: float, drive: float) -> Array:
    """Signals through the ladder with a tanh before its first pole; `(batch, time)` or `(time,)`, as `waves`.

    The delay-free loop is solved as if it were linear, then the input u of the poles is replaced by tanh(drive · u) / drive. The limit
    at drive 0 is the linear ladder; the output is bounded for any feedback (by 1 / drive for cut-offs up to a quarter of the rate).
    hertz, feedback: scalars or `(batch,)`; feedback up to 8, with self-oscillation from 4. drive: over 0, up to 100. Raises
    ConfigError, ShapeError.
    """
    x = np.asarray(waves, dtype=np.float64)
    if x.ndim not in (1, 2):
        raise ShapeError(f"signals (batch, time) or (time,) are needed, not {x.shape}")
    bend = float(_numbers("drive", drive, 1e-6, 100.0))
    rows = np.ascontiguousarray(np.atleast_2d(x))
    try:
        g = np.broadcast_to(np.tan(np.pi * _cutoffs(hertz, sample_rate) / sample_rate), len(rows)).copy()
        k = np.broadcast_to(_numbers("feedback", feedback, 0.0, 2 * SELF_OSCILLATION), len(rows)).copy()
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ShapeError(f"cut-offs and feedbacks must be one or one for each of the {len(rows)} signals") from error
    return np.asarray(_kernel()(rows, g, k, bend)).reshape(x.shape)


@cache
def _kernel() -> Callable[..., Any]:
    from numba import njit  # late: loading and compiling take seconds

    def through(rows: Array, g: Array, k: Array, drive: float) -> Array:
        out = np.empty_like(rows)
        for i in range(rows.shape[0]):
            part = g[i] / (1 + g[i])  # share of the input of a pole in its output
            rest = 1 / (1 + g[i])  # share of its state
            s1 = s2 = s3 = s4 = 0.0
            for n in range(rows.shape[1]):
                held = rest * (s4 + part * (s3 + part * (s2 + part * s1)))
                u = (rows[i, n] - k[i] * held) / (1 + k[i] * part**4)
                u = np.tanh(drive * u) / drive
                v = (u - s1) * part
                u, s1 = v + s1, 2 * v + s1
                v = (u - s2) * part
                u, s2 = v + s2, 2 * v + s2
                v = (u - s3) * part
                u, s3 = v + s3, 2 * v + s3
                v = (u - s4) * part
                u, s4 = v + s4, 2 * v + s4
                out[i, n] = u
        return out

    compiled: Callable[..., Any] = njit(through, nogil=True)
    return compiled


def _cutoffs(hertz: ArrayLike, sample_rate: float) -> Array:
    return _numbers("cut-off", hertz, 1e-3, _EDGE * sample_rate)


def _numbers(what: str, values: ArrayLike, low: float, high: float) -> Array:
    numbers = np.asarray(values, dtype=np.float64)
    bad = ~((numbers >= low) & (numbers <= high))  # NaN too
    if bad.any():
        raise ConfigError(f"{what} of a filter is {numbers[bad].flat[0]:g}, allowed is {low:g} to {high:g}")
    return numbers
