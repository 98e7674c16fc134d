"""What a steady tone is like: descriptors of its spectrum that do not depend on the note, and gains over frequency that change them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

BRIGHTNESS, NOISINESS, HOLLOWNESS = range(3)  # as `audio.describe.TONES` has them

_TINY = 1e-30
_SHARE = 1e-3  # of the whole energy: harmonics that are weaker count as this
_QUIET_DB = -40.0  # of its surroundings: noise that is weaker is hardly audible beside a tone
_SPAN, _LEAST_SPAN = 2.0, 8  # harmonics, and bins at least, over which the flatness is measured, so that brightness is not in it
_COUNTED, _TILTED = 32.0, 128.0  # harmonics: odd and even ones are compared up to here, as exact as a pitch is; the tilt goes on to here
# Exponents at most: 12 dB an octave; 12 dB more or less between harmonics; 12 dB more or less of odd harmonics.
_MOST = (2.0, 1.4, 1.4)  # in the order of the descriptors
_ROUNDS, _ITERATIONS, _EXACT = 2, 12, 1e-3


class Harmonics(NamedTuple):
    """The bins of spectra against a pitch. number `(bins,)`: of the harmonic that each is at, 1 the fundamental, with fractions.

    tilt, odd, between `(bins,)`: log gains, a unit each of the ways in which a spectrum is shaped. counted `(bins,)`: 0 to 1, where odd
    and even count. span: bins over which the flatness is measured.
    """

    number: Values
    tilt: Values
    odd: Values
    between: Values
    counted: Values
    span: int


@lru_cache(maxsize=64)
def harmonics(bins: int, spacing: float, pitch: float) -> Harmonics:
    """Returns where the bins of spectra from 0 Hz up are. spacing: Hz between them. pitch: Hz."""
    number = np.arange(bins, dtype=np.float64) * (spacing / pitch)
    counted = np.clip(2 * (number - 1), 0, 1) * np.clip((_COUNTED - number) / 8, 0, 1)
    span = min(max(_LEAST_SPAN, round(_SPAN * pitch / spacing)), max(1, bins // 2))
    tilt: Values = np.log(np.clip(number, 0.5, _TILTED))
    between = np.clip(2 * number, 0, 1) * np.clip((1 - np.cos(2 * np.pi * number)) / 2, 0, 1)
    return Harmonics(number, tilt, -np.cos(np.pi * number) * counted, between, counted, span)


def describe_tones(power: Values, where: Harmonics) -> Values:
    """Returns the descriptors `audio.describe.TONES` of power spectra `(n, bins)` on their scales, `(n, 3)`.

    Brightness: log2 of the mean frequency over the pitch, so that it is that of the tone at any note. Noisiness: log2 of the flatness over
    spans of two harmonics, a mean weighted by amplitude. Hollowness: dB.
    """
    whole = power.sum(1) + _TINY
    centroid = (power @ where.number) / whole
    odd, even = (power @ ((where.counted + sign * where.odd) / 2) + _SHARE * whole for sign in (1, -1))
    return np.stack([np.log2(np.maximum(centroid, 1e-3)), _flatness(power, where.span), 10 * np.log10(odd / even)], 1)


def unclear(power: Values, where: Harmonics, reach: float) -> Values:
    """Returns how much energy of power spectra `(n, bins)` is farther than `reach` bins from harmonics, `(n,)`: dB of all, from -20."""
    away = np.abs(where.number - np.round(where.number)) > reach * where.number[1]
    return np.asarray(10 * np.log10(power @ away.astype(np.float64) / (power.sum(1) + _TINY) + 0.01))


def _flatness(power: Values, span: int) -> Values:
    """log2 of geometric over arithmetic means within `span` bins; bins under _QUIET_DB of their surroundings count as that."""
    mean = _running(power, span) + power.max(1, keepdims=True) * 1e-12 + _TINY  # empty bins have no weight
    around = mean[:, np.clip(np.arange(power.shape[1]) - span // 2, 0, power.shape[1] - span)]
    log = _running(np.log2(np.maximum(power, 10 ** (_QUIET_DB / 10) * around)), span)
    weights = np.sqrt(mean)
    return np.asarray((weights * np.minimum(log - np.log2(mean), 0.0)).sum(1) / weights.sum(1))


def _running(values: Values, span: int) -> Values:
    """Means `(n, bins - span + 1)` over every `span` bins."""
    summed = np.concatenate([np.zeros((len(values), 1)), values.cumsum(1)], 1)
    return np.asarray((summed[:, span:] - summed[:, :-span]) / span)


def amounts_for(power: Values, where: Harmonics, wanted: Values, *, ways: Sequence[int]) -> Values:
    """Returns amounts `(3,)` of the gains after which a power spectrum `(bins,)` has the descriptors `wanted (3,)`, on their scales.

    As far as the gains go, and continuous in all that is given. ways: the descriptors that have a gain.
    """
    gains, amounts = np.stack([where.tilt, where.between, where.odd]), np.zeros(3)
    order = sorted(ways, reverse=True)  # the tilt last: it changes the others little
    for _ in range(_ROUNDS if len(order) > 1 else 1):
        for way in order:
            amounts[way] = 0.0
            rest = power * np.exp(2 * (amounts @ gains))
            amounts[way] = _solved(rest, gains[way], where, way, float(wanted[way]), _MOST[way])
    return amounts


def with_gains(power: Values, where: Harmonics, amounts: Values) -> Values:
    """Returns a power spectrum `(bins,)` with gains of these amounts `(3,)`."""
    return np.asarray(power * np.exp(2 * (amounts[0] * where.tilt + amounts[1] * where.between + amounts[2] * where.odd)))


def _solved(power: Values, gain: Values, where: Harmonics, descriptor: int, wanted: float, most: float) -> float:
    """The amount of a gain, -most to most, with which a descriptor that rises with it is as wanted: by regula falsi (Illinois)."""

    def miss(amount: float) -> float:
        loud = power * np.exp(2 * amount * gain)
        return _one(loud, where, descriptor) - wanted

    low, high, below, above = -most, most, miss(-most), miss(most)
    if below >= 0 or above <= 0:
        return low if below >= 0 else high
    amount, side = 0.0, 0
    for _ in range(_ITERATIONS):
        amount = (low * above - high * below) / (above - below)
        now = miss(amount)
        if abs(now) < _EXACT:
            break
        if now < 0:
            low, below, above, side = amount, now, above * (0.5 if side < 0 else 1.0), -1
        else:
            high, above, below, side = amount, now, below * (0.5 if side > 0 else 1.0), 1
    return amount


def _one(power: Values, where: Harmonics, descriptor: int) -> float:
    """One descriptor of a spectrum `(bins,)`, as `describe_tones` has it."""
    if descriptor == NOISINESS:
        return float(_flatness(power[None], where.span)[0])
    whole = float(power.sum()) + _TINY
    if descriptor == BRIGHTNESS:
        return math.log2(max(float(power @ where.number) / whole, 1e-3))
    odd, even = (float(power @ ((where.counted + sign * where.odd) / 2)) + _SHARE * whole for sign in (1, -1))
    return 10 * math.log10(odd / even)
