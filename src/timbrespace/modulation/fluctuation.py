"""A curve of pitch or level as its slow course and the fluctuation around it, and the regular part of that: rate, depth, delay.

Around each frame a straight line and a sine of the rate are fitted to two periods of the curve, by least squares. The line is the slow
course: it takes nothing from a modulation of that rate, also at the ends of a note, where a moving mean does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import savgol_filter

from timbrespace.voices.frames import HOP, RATE, Values

SECONDS = HOP / RATE  # between the values of a curve
SLOWEST, FASTEST = 2.5, 14.0  # Hz, of modulations
_USUAL = 5.5  # Hz, where a curve shows no rate
_SHORTEST_PERIODS = 2.0
_INSIDE = 1.04
_NEAR_OCTAVES = 0.4
_DETREND_SECONDS = 0.9
_SMOOTH_PERIODS = 0.45  # of the rate: faster changes are roughness, and stay
_REFINEMENTS = 3


@dataclass(frozen=True)
class Fluctuation:
    """What a curve `(frames,)` does around its slow course. first: the number of its first frame in the sound.

    slow, values: the slow course and the fluctuation, in the unit of the curve. rate: Hz. depth: the amplitude of the sine, the median from
    where it has begun. delay: seconds from the first frame until the sine has half its depth. regularity: how alike one period is to the
    next, 0 to 1 (their correlation).
    """

    first: int
    slow: Values
    values: Values
    rate: float
    depth: float
    delay: float
    regularity: float

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.values)

    @property
    def seconds(self) -> float:
        """The length."""
        return len(self.values) * SECONDS

    def is_regular(self, least_depth: float, *, rate: float | None = None) -> bool:
        """Whether this is a modulation, and not the unsteadiness of any sound: deep and regular enough, over two periods or more.

        rate: Hz, of other notes of the sound that are; at that rate less is enough.
        """
        periods = (self.seconds - self.delay) * self.rate
        inside = _INSIDE * SLOWEST < self.rate < FASTEST / _INSIDE  # at an edge the strongest rate is beyond it
        # The fewer periods, the more easily chance looks regular.
        enough = 0.5 + 0.7 / max(periods, 1.0)
        if rate is not None and abs(np.log2(self.rate / rate)) < _NEAR_OCTAVES:
            enough, least_depth = 0.5 * enough, 0.7 * least_depth
        return inside and self.depth >= least_depth and periods >= _SHORTEST_PERIODS and self.regularity >= enough


def fluctuation(curve: Values, first: int = 0) -> Fluctuation:
    """Returns the parts of a curve `(frames,)`, values SECONDS apart, at least 8 of them."""
    rate = _rate(curve)
    slow, amplitude, _ = _fit(curve, rate)
    values = _smooth(curve - slow, rate)
    begun = amplitude >= 0.5 * np.percentile(amplitude, 75)
    start = int(np.argmax(begun))
    depth = float(np.median(amplitude[start:]))
    regularity = _regularity(values[start:], rate)
    return Fluctuation(first, slow, values, rate, depth, start * SECONDS, regularity)


def _rate(curve: Values) -> float:
    """The rate in Hz of the strongest modulation between SLOWEST and FASTEST."""
    width = min(round(_DETREND_SECONDS / SECONDS), len(curve) - 1) // 2 * 2 - 1
    rest = curve - (savgol_filter(curve, width, 2) if width > 4 else curve.mean())
    if not np.abs(rest).max() > 1e-9:
        return _USUAL
    size = 1 << (8 * len(rest) - 1).bit_length()
    power = np.square(np.abs(np.fft.rfft(rest * np.hanning(len(rest) + 2)[1:-1], size)))
    hertz = np.fft.rfftfreq(size, SECONDS)
    band = np.flatnonzero((hertz >= SLOWEST) & (hertz <= FASTEST))
    rate = float(hertz[band[np.argmax(power[band])]])
    for _ in range(_REFINEMENTS):
        _, amplitude, phase = _fit(curve, rate)
        weights = np.where(amplitude >= 0.5 * np.percentile(amplitude, 75), amplitude, 0.0)
        if np.count_nonzero(weights) < 4:
            break
        slope = float(np.polyfit(np.arange(len(phase)) * SECONDS, np.unwrap(phase), 1, w=weights)[0]) / (2 * np.pi)
        rate = float(np.clip(rate + np.clip(slope, -0.2 * rate, 0.2 * rate), SLOWEST, FASTEST))
    return rate


def _fit(curve: Values, rate: float) -> tuple[Values, Values, Values]:
    """The slow course, the amplitude and the phase, less that of a sine of the rate from 0, of the fit around each frame `(frames,)`."""
    count = len(curve)
    half = min(round(1 / (rate * SECONDS)), count - 1)
    centres = np.clip(np.arange(count), min(half // 2, count // 2), max(count - 1 - half // 2, count // 2))
    offsets = np.arange(-half, half + 1)
    window = np.hanning(2 * half + 3)[1:-1]
    angle = 2 * np.pi * rate * SECONDS * offsets
    basis = np.stack([np.ones(len(offsets)), offsets / max(half, 1), np.cos(angle), np.sin(angle)], axis=1)
    products = basis[:, :, None] * basis[:, None, :]
    slow, amplitude, phase = np.empty(count), np.empty(count), np.empty(count)
    level = float(curve.mean())
    for begin in range(0, count, 4_096):
        rows = centres[begin : begin + 4_096]
        places = rows[:, None] + offsets
        inside = (places >= 0) & (places < count)
        weights = inside * window
        values = (curve - level)[np.clip(places, 0, count - 1)]
        matrix = np.einsum("nm,mij->nij", weights, products) + 1e-6 * np.eye(4)
        found = np.linalg.solve(matrix, np.einsum("nm,mi->ni", weights * values, basis)[..., None])[..., 0]
        away = np.arange(begin, begin + len(rows)) - rows
        slow[begin : begin + len(rows)] = level + found[:, 0] + found[:, 1] * away / max(half, 1)
        amplitude[begin : begin + len(rows)] = np.hypot(found[:, 2], found[:, 3])
        turned = np.arctan2(-found[:, 3], found[:, 2]) - 2 * np.pi * rate * SECONDS * rows
        phase[begin : begin + len(rows)] = turned
    return slow, amplitude, phase


def _smooth(values: Values, rate: float) -> Values:
    width = min(max(5, round(_SMOOTH_PERIODS / (rate * SECONDS)) // 2 * 2 + 1), (len(values) - 1) // 2 * 2 - 1)
    return np.asarray(savgol_filter(values, width, 3)) if width > 3 else values


def _regularity(values: Values, rate: float) -> float:
    """The correlation of the values with themselves a period later, the best of lags within a tenth of it."""
    period = 1 / (rate * SECONDS)
    found = 0.0
    for lag in range(int(0.9 * period), round(1.1 * period) + 1):
        before, after = values[: len(values) - lag], values[lag:]
        if len(before) < 0.5 * period:
            continue
        scale = float(np.sqrt(np.square(before).sum() * np.square(after).sum()))
        found = max(found, float(before @ after) / scale if scale > 0 else 0.0)
    return found
