"""Magnitude spectra of decoded features, and their pitch: what held voices are made from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_LOWEST, _HIGHEST = 40.0, 1_400.0  # Hz of a pitch
_STEPS = 60  # of an octave
_HARMONICS = 40  # so many that a formant far above the pitch is reached
_FALL = 0.7  # harmonic k weighs 1 / k ^ this
_KEPT = 1.15  # times that another pitch must fit better than the one before
_ODD, _ODD_KEPT = 0.03, 0.01  # of the energy of the even harmonics: so little of odd ones is none; for a pitch that sounds already
_BINS = 2.5  # on both sides of a harmonic that belong to it, as wide as the lobe of a window
_LOW = 4  # partials by which the pitch is refined


class Spectrum(NamedTuple):
    """magnitudes `(bins,)`: from 0 Hz up, `spacing` Hz apart; a sine of amplitude a has a peak of a. bandwidth: of the window, in bins."""

    magnitudes: np.ndarray
    spacing: float
    bandwidth: float


def find_pitch(spectrum: Spectrum, before: float | None = None) -> float:
    """Returns the pitch of a spectrum in Hz: where its magnitudes at the harmonics stand out most from those between them.

    As Camacho and Harris (SWIPE, 2008) compare square roots of magnitudes at and between the harmonics.
    before: the pitch of the spectrum before, which is kept unless another one is clearly better.
    """
    roots = np.sqrt(np.maximum(spectrum.magnitudes.astype(np.float64), 0.0))
    if not roots.any():
        return before or 220.0
    count = int(_STEPS * np.log2(_HIGHEST / _LOWEST)) + 1
    pitches = _LOWEST * 2.0 ** (np.arange(count) / _STEPS)
    scores = _scores(roots, pitches, spectrum.spacing)
    best = int(scores.argmax())
    if before is not None:
        near = np.flatnonzero(np.abs(np.log2(pitches / before)) < 1 / 24)
        if len(near) and scores[near].max() * _KEPT >= scores[best]:
            best = int(near[scores[near].argmax()])
    left, middle, right = scores[max(0, best - 1)], scores[best], scores[min(count - 1, best + 1)]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return _not_too_low(spectrum, float(pitches[best] * 2 ** (np.clip(shift, -0.5, 0.5) / _STEPS)), before)


def _not_too_low(spectrum: Spectrum, pitch: float, before: float | None) -> float:
    """An octave higher while the odd harmonics have next to none of the energy: a tone fits the harmonics of half its pitch as well."""
    energy = np.square(spectrum.magnitudes.astype(np.float64))
    while 2 * pitch <= _HIGHEST:
        numbers = np.arange(1, int((len(energy) - 2) * spectrum.spacing / pitch) + 1)
        if spectrum.spacing * 4 > pitch or len(numbers) < 2:  # harmonics that the spectrum cannot tell apart
            break
        bins = np.round(numbers * pitch / spectrum.spacing).astype(int)
        peaks = np.maximum.reduce([energy[np.clip(bins + away, 0, len(energy) - 1)] for away in (-1, 0, 1)])
        kept = before is not None and abs(np.log2(pitch / before)) < 1 / 24
        if peaks[::2].sum() > (_ODD_KEPT if kept else _ODD) * peaks[1::2].sum():
            break
        pitch *= 2
    return pitch


def refined(pitch: float, ratios: np.ndarray, amplitudes: np.ndarray) -> float:
    """Returns the pitch by the lowest partials that were found at it; slot i belongs to harmonic i + 1."""
    numbers = np.arange(1, min(_LOW, len(ratios)) + 1)
    # Inharmonic partials are the nearer to their harmonic the lower they are.
    weights = np.square(amplitudes[: len(numbers)].astype(np.float64) / numbers**2) * (np.abs(ratios[: len(numbers)] / numbers - 1) < 0.06)
    if not weights.sum():
        return pitch
    return float(pitch * (weights * ratios[: len(numbers)] / numbers).sum() / weights.sum())


def _scores(roots: np.ndarray, pitches: np.ndarray, spacing: float) -> np.ndarray:
    places = np.arange(len(roots)) * spacing
    total = np.zeros(len(pitches))
    for number in range(1, _HARMONICS + 1):
        weight = number**-_FALL
        total += weight * np.interp(number * pitches, places, roots, right=0.0)
        total -= weight * np.interp((number - 0.5) * pitches, places, roots, right=0.0)
    return total


def clarity(spectrum: Spectrum, pitch: float) -> float:
    """Returns how much of a spectrum's energy is near the harmonics of a pitch in Hz: 1 all, 0 no more than of an even spectrum.

    Low where partials are inharmonic, where several notes sound at once, and where the pitch is an octave too low.
    """
    energy = np.square(spectrum.magnitudes.astype(np.float64))
    places = np.arange(len(energy)) * spectrum.spacing / pitch
    reach = _BINS * spectrum.spacing / pitch
    near = (np.abs(places - np.round(places)) <= reach) & (places > 0.5)
    share = energy[near].sum() / max(float(energy.sum()), 1e-30)
    even = min(1.0, 2 * reach)
    return float(max(0.0, (share - even) / (1 - even))) if even < 1 else 0.0


def loudness(spectrum: Spectrum) -> float:
    """Returns the root mean square of the sines that a spectrum holds."""
    return float(np.sqrt(np.square(spectrum.magnitudes.astype(np.float64)).sum() / spectrum.bandwidth / 2))
