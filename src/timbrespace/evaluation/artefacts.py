"""Artefact metrics: the faults that listeners reported of earlier systems, each as a number that new and real sounds can be compared by.

Sounds are lists of `(channels, time)`, mixed to mono here. All metrics but `variety` are one number a sound, `(count,)` float64, NaN
where they do not apply. No value is good or bad by itself: the goal is the value of real sounds of the same family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from timbrespace.audio.embedding import embedding
from timbrespace.audio.pitch import PITCHED, estimate_pitch
from timbrespace.contracts import ShapeError
from timbrespace.evaluation.points import Points, as_points, distances

Sounds = Sequence[Tensor]
Wave = NDArray[np.float64]

# key -> heading.
ARTEFACTS = {
    "variety": "variety (× real)",
    "tail_db": "tail level (dB)",
    "linger_percent": "lingering (%)",
    "stutter_db": "stutter (dB)",
    "high_flatness_db": "flatness of highs (dB)",
    "partial_cents": "partials 4…10 (cents)",
    "partials_percent": "partials found (%)",
    "click_percent": "clicks (%)",
    "highs_db": "highs (dB)",
}
_BLOCK_S = 0.002  # s, of the level over time
_LINGER_DB = (-72.0, -40.0)  # relative to the loudest block
_HIGHS_HZ, _AIR_HZ = 4_000.0, 8_000.0
_AUDIBLE_DB = -50.0  # relative to the loudest stretch; quieter ones are left out
_LEAST_DB = -90.0
_PARTIALS = range(4, 11)
_REACH = 2 ** (60 / 1200) - 1  # a partial is searched within 60 cents of its nominal frequency
_PROMINENCE_DB = 12.0  # of a partial over the median around it


def artefact_metrics(made: Sounds, real: Sounds, *, sample_rate: int, hop: int) -> dict[str, dict[str, float]]:
    """Returns every metric of new sounds beside real ones: `{key of ARTEFACTS: {"new", "real", "spread"}}`, means over sounds.

    spread: standard deviation over the real sounds, the scale of a difference; NaN for "variety", whose "new" is a ratio and whose
    "real" is 1. hop: of the model's frames, in samples, for "stutter". Raises ShapeError for fewer than two sounds a side.
    """
    if min(len(made), len(real)) < 2:
        raise ShapeError(f"artefact metrics need two sounds or more a side, not {len(made)} and {len(real)}")
    points = [embedding(list(sounds), sample_rate=sample_rate) for sounds in (made, real)]
    result = {"variety": {"new": variety(*points), "real": 1.0, "spread": math.nan}}
    sides = [metrics_per_sound(sounds, sample_rate=sample_rate, hop=hop) for sounds in (made, real)]
    for key in sides[0]:
        new, true = (values[key][np.isfinite(values[key])] for values in sides)
        result[key] = {
            "new": float(new.mean()) if len(new) else math.nan,
            "real": float(true.mean()) if len(true) else math.nan,
            "spread": float(true.std()) if len(true) else math.nan,
        }
    return result


def metrics_per_sound(sounds: Sounds, *, sample_rate: int, hop: int) -> dict[str, Wave]:
    """Returns all metrics but "variety", one number a sound: `{key: (count,)}`. Arguments as in `artefact_metrics`."""
    waves = [_mono(sound) for sound in sounds]
    cents, share = np.array([partials(wave, sample_rate) for wave in waves]).reshape(-1, 2).T
    tails = np.array([tail(wave, sample_rate) for wave in waves]).reshape(-1, 2).T
    return {
        "tail_db": tails[0],
        "linger_percent": tails[1],
        "stutter_db": np.array([stutter(wave, sample_rate, hop=hop) for wave in waves]),
        "high_flatness_db": np.array([high_flatness(wave, sample_rate) for wave in waves]),
        "partial_cents": cents,
        "partials_percent": share,
        "click_percent": np.array([click(wave) for wave in waves]),
        "highs_db": np.array([highs(wave, sample_rate) for wave in waves]),
    }


def variety(made: Points, real: Points) -> float:
    """*Averaging*: returns the mean distance between pairs of new sounds over that of real ones, points `(·, dims)` of one embedding.

    1: as varied as real sounds; 0: all equal.
    """
    new, true = (distances(x, x).sum() / (len(x) * (len(x) - 1)) for x in (as_points(made, "made"), as_points(real, "real")))
    return float(new / true) if true > 0 else math.nan


def tail(wave: Wave, sample_rate: int) -> tuple[float, float]:
    """*Noisy tails*: returns the level of the last tenth of `wave (time,)` in dB, and the share of its length at -72 to -40 dB in %.

    Both in blocks of 2 ms, relative to the loudest block. A haze after a decayed hit raises the first or the second.
    """
    level = _levels(wave, sample_rate)
    if level is None:
        return math.nan, math.nan
    last = level[-max(1, len(level) // 10) :]
    low, high = _LINGER_DB
    return float(10 * np.log10(np.mean(10 ** (last / 10)))), float(100 * ((level > low) & (level < high)).mean())


def stutter(wave: Wave, sample_rate: int, *, hop: int) -> float:
    """*Stuttering blocks*: returns how far changes of the level above 1 kHz exceed their surroundings at multiples of the frame rate, dB.

    The level is read eight times a frame. The power of its changes at 1, 2 and 3 times the frame rate is divided by that 0.2 to 0.4
    frame rates beside. About 0 without blocks. NaN for sounds under eight frames.
    """
    step = max(1, hop // 8)
    bright = _above(wave, sample_rate, 1_000.0)
    energy = np.square(bright[: len(bright) // step * step]).reshape(-1, step).mean(1)
    if not energy.max(initial=0) > 0:
        return math.nan
    level = 10 * np.log10(np.maximum(energy, energy.max() * 10 ** (2 * _AUDIBLE_DB / 10)))
    audible = np.flatnonzero(level > level.max() + _AUDIBLE_DB)
    level = level[audible[0] : audible[-1] + 1]
    if len(level) < 64:
        return math.nan
    changes = np.abs(np.diff(level))  # up or down: blocks change where they meet
    power = np.square(np.abs(np.fft.rfft((changes - changes.mean()) * np.hanning(len(changes)), 8 * 4096 * (1 + len(changes) // 4096))))
    rates = np.arange(len(power)) / (len(power) - 1) * 4 * (hop / (8 * step))  # in frame rates; the Nyquist rate of the level is four
    width = 2.0 * 8 / len(changes)  # of a spectral line, in frame rates, from the length of the sound

    def mean(low: float, high: float) -> float:
        return float(power[(rates >= low) & (rates <= high)].mean())

    lines = [mean(n - width / 4, n + width / 4) for n in (1, 2, 3)]
    beside = [0.5 * (mean(n - 0.4, n - 0.2) + mean(n + 0.2, n + 0.4)) for n in (1, 2, 3)]
    return float(10 * np.log10(np.sum(lines) / max(np.sum(beside), 1e-12)))


def high_flatness(wave: Wave, sample_rate: int) -> float:
    """*Phasiness in the highs*: returns the flatness over time of the energy above 4 kHz, in blocks of 1 ms within 32 ms, dB.

    A mean weighted by energy. 0 is even: noise, or an attack smeared by wrong phases. Pulses and sharp attacks are far below. A
    sustained tone is near 0, and below where its phases jump.
    """
    block = max(1, round(0.001 * sample_rate))
    bright = _above(wave, sample_rate, _HIGHS_HZ)
    size = 32 * block
    if sample_rate < 2.2 * _HIGHS_HZ or len(bright) < size:
        return math.nan
    # Windows overlap by half; each is 32 blocks.
    starts = range(0, len(bright) - size + 1, size // 2)
    energy = np.stack([np.square(bright[s : s + size]).reshape(32, block).mean(1) for s in starts])
    whole = energy.mean(1)
    if not whole.max() > 0:
        return math.nan
    used = whole > whole.max() * 10 ** (_AUDIBLE_DB / 10)
    floor = whole[used, None] * 1e-6
    flatness = 10 * (np.log10(np.maximum(energy[used], floor)).mean(1) - np.log10(whole[used]))
    return float(np.average(flatness, weights=whole[used]))


def partials(wave: Wave, sample_rate: int) -> tuple[float, float]:
    """*Imprecise upper harmonics*: returns the mean deviation of partials 4 to 10 from multiples of the fundamental in cents, and the %
    of them found.

    The fundamental is estimated on partials 1 to 3. A partial is a peak within 60 cents of its nominal frequency, 12 dB over the median
    around. Both are NaN for a sound without a clear pitch or under twelve periods; the first also where no partial is found.
    """
    import torch

    hertz, confidence = estimate_pitch(torch.from_numpy(wave), sample_rate, high=min(2_500.0, sample_rate / 4))
    if hertz is None or confidence < PITCHED:
        return math.nan, math.nan
    start = min(int(np.abs(wave).argmax()) + round(0.02 * sample_rate), max(0, len(wave) - round(0.5 * sample_rate)))
    part = wave[start : start + round(0.5 * sample_rate)]
    if len(part) * hertz / sample_rate < 12:
        return math.nan, math.nan
    size = 2 ** math.ceil(math.log2(8 * len(part)))
    window = np.blackman(len(part))
    level = 20 * np.log10(np.abs(np.fft.rfft(part * window, size)) + 1e-12 * np.abs(part).max())
    low = [(n, peak) for n in (1, 2, 3) if (peak := _peak(level, n * hertz, hertz, size / sample_rate)) is not None]
    if not low:
        return math.nan, 0.0
    fundamental = float(np.average([peak / n for n, peak in low], weights=[n for n, _ in low]))
    numbers = [n for n in _PARTIALS if n * fundamental * (1 + _REACH) < 0.45 * sample_rate]
    peaks = [(n, _peak(level, n * fundamental, fundamental, size / sample_rate)) for n in numbers]
    cents = [abs(1200 * math.log2(peak / (n * fundamental))) for n, peak in peaks if peak is not None]
    return (float(np.mean(cents)) if cents else math.nan), (100 * len(cents) / len(numbers) if numbers else math.nan)


def click(wave: Wave) -> float:
    """*Clicks at the ends*: returns the larger of the first and the last sample, absolute, in % of the peak."""
    peak = float(np.abs(wave).max(initial=0))
    return 100 * max(abs(float(wave[0])), abs(float(wave[-1]))) / peak if peak > 0 else math.nan


def highs(wave: Wave, sample_rate: int) -> float:
    """*Dead highs*: returns the energy above 8 kHz relative to that of the whole sound, in dB (at least -90)."""
    if sample_rate < 2.2 * _AIR_HZ:
        return math.nan
    power = np.square(np.abs(np.fft.rfft(wave)))
    total = power[1:].sum()
    above = power[math.ceil(_AIR_HZ * len(wave) / sample_rate) :].sum()
    return float(max(_LEAST_DB, 10 * np.log10(max(above / total, 1e-12)))) if total > 0 else math.nan


def _peak(level: Wave, hertz: float, fundamental: float, bins: float) -> float | None:
    """Frequency in Hz of the partial near `hertz`, None without one. level: spectrum in dB; fundamental: Hz; bins: per Hz."""
    first, last = math.ceil(hertz * (1 - _REACH) * bins), math.floor(hertz * (1 + _REACH) * bins)
    if last >= len(level) - 1 or last - first < 2:
        return None
    top = first + int(level[first : last + 1].argmax())
    around = level[max(0, round((hertz - fundamental / 2) * bins)) : round((hertz + fundamental / 2) * bins) + 1]
    if top in (first, last) or level[top] < np.median(around) + _PROMINENCE_DB or level[top] < level.max() - 80:
        return None
    left, here, right = level[top - 1 : top + 2]
    bend = left - 2 * here + right
    return float((top + (0.5 * (left - right) / bend if bend < 0 else 0.0)) / bins)


def _levels(wave: Wave, sample_rate: int) -> Wave | None:
    """Level of blocks of 2 ms in dB relative to the loudest; None for silence."""
    block = max(1, round(_BLOCK_S * sample_rate))
    padded = np.pad(wave, (0, -len(wave) % block))
    energy = np.square(padded).reshape(-1, block).mean(1)
    most = energy.max(initial=0)
    return None if not most > 0 else 10 * np.log10(np.maximum(energy / most, 1e-12))


def _above(wave: Wave, sample_rate: int, hertz: float) -> Wave:
    """The wave above a frequency in Hz, by a causal filter: nothing rings before an attack."""
    from scipy import signal

    if hertz >= 0.45 * sample_rate:
        return np.zeros_like(wave)
    return np.asarray(signal.sosfilt(signal.butter(6, hertz, "highpass", fs=sample_rate, output="sos"), wave), np.float64)


def _mono(sound: Tensor) -> Wave:
    """A sound `(channels, time)` as `(time,)`. Raises ShapeError."""
    if sound.ndim != 2 or not sound.shape[-1]:
        raise ShapeError(f"a sound must be (channels, time) with one sample or more, not {tuple(sound.shape)}")
    return np.asarray(sound.detach().cpu().double().mean(0).numpy(), np.float64)
