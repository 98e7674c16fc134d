"""Measures the traits of recorded notes, see `traits`."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from timbrespace.synthesis.harmonic.traits import (
    ATTACK,
    ATTACK_S,
    FLUTTER,
    LEAST_FLUTTER,
    LEAST_WANDER,
    RATE,
    SUSTAINED,
    TRAITS,
    WANDER,
    ZONES,
    Values,
)

_PARTIALS = 8  # whose levels are followed
_HALF_BAND = 35.0  # Hz on either side of a partial, at most 0.4 of the fundamental
_RATE = 200.0  # Hz, of the followed levels and phases, about
_SKIPPED = (0.08, 0.05)  # s at the start and at the end, where a note is not steady
_TREND = 25  # values, 0.12 s: slower changes of the level are its envelope
_QUIET_DB = 30.0  # under the loudest value: not followed below
_WEAK_DB = 30.0  # under the strongest partial: not followed
_FARTHEST = 60.0  # cents; phases of weak partials jump
_FEWEST_BINS = 4  # of a gap between partials
_MAIN_LOBE = 4.5  # bins on either side of a partial that a Blackman-Harris window spreads it over
_BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)


def measure_note(audio: Values, sample_rate: int, hertz: float) -> Values:
    """Returns the traits `(TRAITS,)` of a note `(time,)` with a fundamental within a third of a semitone of `hertz`.

    Logarithms of: noise share of each zone after the attack, flutter in dB and wander in cents (both plus their least value), rate in Hz,
    noise share of each zone in the attack. NaN where a trait cannot be measured: a zone without energy, partials too close together for
    the length of the note, a note under 0.3 s.
    """
    wave = np.asarray(audio, np.float64)
    traits = np.full(TRAITS, math.nan)
    followed = _follow(wave, sample_rate, hertz)
    if followed is not None:
        cents, rate = followed.cents, followed.rate
        traits[FLUTTER] = math.log(_flutter(followed.levels) + LEAST_FLUTTER)
        middle = float(np.median(cents))
        hertz *= 2 ** (middle / 1200)
        swing = np.clip(cents - middle, -_FARTHEST, _FARTHEST)
        traits[WANDER] = math.log(float(swing.std()) + LEAST_WANDER)
        smooth = np.convolve(swing, np.ones(5) / 5, "same")
        crossings = int((smooth[1:] * smooth[:-1] < 0).sum())
        traits[RATE] = math.log(max(0.5 * crossings / (len(swing) / rate), 0.5))
    traits[SUSTAINED], traits[ATTACK] = _noise_shares(wave, sample_rate, hertz)
    return traits


def pitch_course(audio: Values, sample_rate: int, hertz: float, at: Values) -> Values | None:
    """Returns the pitch of a note `(time,)` in cents from `hertz`, within a third of a semitone of it, at the times `at (n,)` in s: `(n,)`.

    It is that of the strongest low partial: a vibrato, a bend. Where the note is soft, at its start and at its end, it is held. None
    for a note that is too short to be followed.
    """
    followed = _follow(np.asarray(audio, np.float64), sample_rate, hertz)
    if followed is None:
        return None
    smooth = np.convolve(np.pad(followed.cents, 2, mode="edge"), np.ones(5) / 5, "valid")
    return np.asarray(np.interp(at, followed.times, smooth))


class _Followed(NamedTuple):
    """Levels of the strong partials in dB `(partials, values)`; where the note is loud, its pitch in cents and its times in s `(n,)`.

    rate: values a second.
    """

    levels: Values
    cents: Values
    times: Values
    rate: float


def _follow(wave: Values, rate: int, hertz: float) -> _Followed | None:
    """Follows the partials of a note. None for one that is too short or silent.

    Each partial is moved to 0 Hz and filtered by a Hann-shaped band of its spectrum.
    """
    from scipy.fft import fft, ifft, next_fast_len

    count = next_fast_len(len(wave))
    spectrum = fft(wave, count)
    seconds = count / rate
    values = max(2, round(_RATE * seconds))
    new_rate = values / seconds
    half = min(0.4 * hertz, _HALF_BAND) * 1.5
    reach = min(int(half * seconds), values // 2 - 1)
    first, last = round(_SKIPPED[0] * new_rate), round((len(wave) / rate - _SKIPPED[1]) * new_rate)
    if last - first < 0.15 * new_rate or reach < 1:
        return None
    offsets = np.arange(-reach, reach + 1)
    taper = 0.5 + 0.5 * np.cos(np.pi * offsets / (reach + 1))
    tracks = []
    for number in range(1, _PARTIALS + 1):
        centre = number * hertz * seconds
        if centre + reach + 1 >= count / 2:
            break
        band = np.zeros(values, complex)
        band[offsets] = spectrum[round(centre) + offsets] * taper
        drift = (round(centre) - centre) / seconds  # Hz: bins do not fall on the partial
        track = ifft(band)[first:last] * np.exp(2j * np.pi * drift * np.arange(first, last) / new_rate)
        tracks.append(track)
    if not tracks:
        return None
    power = np.array([float(np.square(np.abs(track)).mean()) for track in tracks])
    if not power.max() > 0:
        return None
    strong = np.flatnonzero(power > power.max() * 10 ** (-_WEAK_DB / 10))
    levels = np.array([20 * np.log10(np.abs(tracks[k]) + 1e-6 * math.sqrt(power.max())) for k in strong])
    lead = 0 if strong[0] == 0 else int(power.argmax())
    turns = np.diff(np.unwrap(np.angle(tracks[lead]))) * new_rate / (2 * math.pi) / ((lead + 1) * hertz)
    level = levels[strong.tolist().index(lead)]
    loud = (level > level.max() - _QUIET_DB)[1:]
    cents = 1200 * np.log2(np.maximum(1 + turns[loud], 0.5))
    times = (first + 1 + np.flatnonzero(loud)) / new_rate
    return _Followed(levels, cents, times, new_rate) if len(cents) > 10 else None


def _flutter(levels: Values) -> float:
    """Median over partials of the deviation of their level `(partials, values)` from its trend, dB."""
    weights = np.hanning(_TREND + 2)[1:-1]
    weights /= weights.sum()
    deviations = []
    for level in levels:
        trend = np.convolve(np.pad(level, _TREND // 2, mode="edge"), weights, "valid")
        loud = level > level.max() - _QUIET_DB
        if loud.sum() > 10:
            deviations.append(float((level - trend)[loud].std()))
    return float(np.median(deviations)) if deviations else 0.0


def _noise_shares(wave: Values, rate: int, hertz: float) -> Values:
    """Logarithms of the share of the power that is noise, that is, between the partials: `(2, zones)`, after the attack and in it.

    A hammer or a bow is noise for a moment; its share would be a haze between the partials of what follows.
    """
    shares = np.full((2, len(ZONES) - 1), math.nan)
    size = 2_048
    while size < 20 * rate / hertz and size < 16_384:
        size *= 2
    while size > len(wave) and size > 1_024:
        size //= 2
    if hertz * size / rate < 2 * _MAIN_LOBE + _FEWEST_BINS:
        return shares
    angle = 2 * math.pi * np.arange(size) / size
    window = sum(weight * np.cos(k * angle) for k, weight in enumerate(_BLACKMAN_HARRIS))
    padded = np.pad(wave, (0, max(0, size - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1)))
    bins = np.asarray(np.fft.rfftfreq(size, 1 / rate), np.float64)
    whole = float(power.sum())
    gaps, noise = _gaps(power, bins, hertz=hertz, lobe=_MAIN_LOBE * rate / size)
    starts = np.arange(len(frames)) * (size // 4) / rate
    times = (starts >= ATTACK_S, starts < ATTACK_S)
    for zone, (low, high) in enumerate(pairwise(ZONES)):
        inside = (bins >= low) & (bins < high)
        within = (gaps >= low) & (gaps < high)
        if not within.any():
            continue
        total = power[:, inside].sum(1)
        mean = np.minimum(noise[:, within].mean(1) * inside.sum(), total)
        for part, at in enumerate(times):
            # Loud frames count: the hiss of a recording lasts when its partials have decayed.
            if total[at].sum() > 1e-9 * whole:
                shares[part, zone] = math.log(min(max(float((mean * total)[at].sum() / np.square(total[at]).sum()), 1e-6), 1.0))
    return shares


def _gaps(power: Values, bins: Values, *, hertz: float, lobe: float) -> tuple[Values, Values]:
    """Middles of the gaps between partials in Hz `(gaps,)`, and the mean power of noise in each `(frames, gaps)`.

    The mean of noise is read off its lower quartile: an inharmonic partial in the gap does not change that much.
    """
    middles, means = [], []
    for number in range(1, int(bins[-1] / hertz)):
        first, last = np.searchsorted(bins, (number * hertz + lobe, (number + 1) * hertz - lobe))
        if last - first >= _FEWEST_BINS:
            middles.append((number + 0.5) * hertz)
            quarter = (last - first) // 4
            means.append(np.partition(power[:, first:last], quarter, axis=1)[:, quarter] / -math.log(1 - (quarter + 0.5) / (last - first)))
    return np.array(middles), np.array(means).T.reshape(len(power), -1)
