"""Faults that listeners heard in the sounds of earlier systems, each as a number on new sounds, to stand beside that of real ones.

Sounds are lists of `(channels, time)`, mixed to mono here. All but `variety` give one number a sound, `(count,)` float64, NaN where
a sound has nothing to measure. None of them is good or bad alone: what real sounds of the same family read is the goal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from timbrespace.audio.distance import embedding
from timbrespace.audio.pitch import PITCHED, estimate_pitch
from timbrespace.contracts import ShapeError
from timbrespace.evaluation.distribution import Points, _distances, _points

Sounds = Sequence[Tensor]
Wave = NDArray[np.float64]

# key -> heading; the fault it stands for is what `FAULTS` says in words.
FAULTS = {
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
_BLOCK_S = 0.002  # of the level over time
_LINGER_DB = (-72.0, -40.0)  # of the loudest block
_HIGHS_HZ, _AIR_HZ = 4_000.0, 8_000.0
_HEARD_DB = -50.0  # under the loudest stretch, nothing is judged
_LEAST_DB = -90.0
_PARTIALS = range(4, 11)
_REACH = 2 ** (60 / 1200) - 1  # a partial is looked for so far from its place: 60 cents
_STANDS_OUT_DB = 12.0  # of a partial over what lies around it


def faults(made: Sounds, real: Sounds, *, sample_rate: int, hop: int) -> dict[str, dict[str, float]]:
    """Every figure of new sounds beside real ones: `{key of FAULTS: {"new", "real", "spread"}}`, means over sounds.

    spread: standard deviation over the real sounds, so that a difference has a scale; NaN for "variety", whose "new" is a ratio and
    whose "real" is 1. hop: of the model's frames, in samples, for "stutter". Raises ShapeError for fewer than two sounds a side.
    """
    if min(len(made), len(real)) < 2:
        raise ShapeError(f"faults need two sounds or more a side, not {len(made)} and {len(real)}")
    points = [embedding(list(sounds), sample_rate=sample_rate) for sounds in (made, real)]
    found = {"variety": {"new": variety(*points), "real": 1.0, "spread": math.nan}}
    sides = [figures(sounds, sample_rate=sample_rate, hop=hop) for sounds in (made, real)]
    for key in sides[0]:
        new, true = (values[key][np.isfinite(values[key])] for values in sides)
        found[key] = {
            "new": float(new.mean()) if len(new) else math.nan,
            "real": float(true.mean()) if len(true) else math.nan,
            "spread": float(true.std()) if len(true) else math.nan,
        }
    return found


def figures(sounds: Sounds, *, sample_rate: int, hop: int) -> dict[str, Wave]:
    """All figures but "variety", a number a sound: `{key: (count,)}`."""
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
    """*Averaging*: mean distance between pairs of new sounds over that of real ones, points `(·, dims)` of one embedding.

    1: as varied as real; 0: all alike.
    """
    new, true = (_distances(x, x).sum() / (len(x) * (len(x) - 1)) for x in (_points(made, "made"), _points(real, "real")))
    return float(new / true) if true > 0 else math.nan


def tail(wave: Wave, sample_rate: int) -> tuple[float, float]:
    """*Noisy tails*: `(time,)` -> level of the last tenth in dB, and share of the length in %, that lies 40 to 72 dB down.

    Both by blocks of 2 ms under the loudest block. A haze behind a hit that has died away raises the first or the second.
    """
    level = _levels(wave, sample_rate)
    if level is None:
        return math.nan, math.nan
    last = level[-max(1, len(level) // 10) :]
    low, high = _LINGER_DB
    return float(10 * np.log10(np.mean(10 ** (last / 10)))), float(100 * ((level > low) & (level < high)).mean())


def stutter(wave: Wave, sample_rate: int, *, hop: int) -> float:
    """*Stuttering blocks*: how far the changes of level above 1 kHz stand out at the frame rate and its multiples, dB.

    The level is read eight times a frame; power of its changes at 1, 2 and 3 times the frame rate over that a fifth to two fifths of
    the rate beside. About 0 without blocks. NaN for sounds under eight frames.
    """
    step = max(1, hop // 8)
    bright = _above(wave, sample_rate, 1_000.0)
    energy = np.square(bright[: len(bright) // step * step]).reshape(-1, step).mean(1)
    if not energy.max(initial=0) > 0:
        return math.nan
    level = 10 * np.log10(np.maximum(energy, energy.max() * 10 ** (2 * _HEARD_DB / 10)))
    heard = np.flatnonzero(level > level.max() + _HEARD_DB)
    level = level[heard[0] : heard[-1] + 1]
    if len(level) < 64:
        return math.nan
    changes = np.abs(np.diff(level))  # up or down: blocks change where they meet
    power = np.square(np.abs(np.fft.rfft((changes - changes.mean()) * np.hanning(len(changes)), 8 * 4096 * (1 + len(changes) // 4096))))
    places = np.arange(len(power)) / (len(power) - 1) * 4 * (hop / (8 * step))  # in frame rates; the level's own limit is four
    width = 2.0 * 8 / len(changes)  # of a line, in frame rates, by the length of the sound

    def mean(low: float, high: float) -> float:
        return float(power[(places >= low) & (places <= high)].mean())

    lines = [mean(n - width / 4, n + width / 4) for n in (1, 2, 3)]
    beside = [0.5 * (mean(n - 0.4, n - 0.2) + mean(n + 0.2, n + 0.4)) for n in (1, 2, 3)]
    return float(10 * np.log10(np.sum(lines) / max(np.sum(beside), 1e-12)))


def high_flatness(wave: Wave, sample_rate: int) -> float:
    """*Phasiness in the highs*: flatness of the energy over time above 4 kHz, 1 ms by 1 ms within 32 ms, dB; the mean by energy.

    0 is even: noise, or an attack smeared by wrong phases; far below are pulses and attacks that keep their moment. A sustained
    tone lies near 0, below it where its phases jump.
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
    used = whole > whole.max() * 10 ** (_HEARD_DB / 10)
    floor = whole[used, None] * 1e-6
    flatness = 10 * (np.log10(np.maximum(energy[used], floor)).mean(1) - np.log10(whole[used]))
    return float(np.average(flatness, weights=whole[used]))


def partials(wave: Wave, sample_rate: int) -> tuple[float, float]:
    """*Imprecise upper harmonics*: mean distance of partials 4…10 from multiples of the fundamental in cents, and the % found.

    The fundamental is that of partials 1…3. A partial is a peak within 60 cents of its place, 12 dB over what lies around. Both NaN
    for a sound without a clear pitch or under twelve periods; the first where no partial is found.
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
    low = [(n, place) for n in (1, 2, 3) if (place := _peak(level, n * hertz, hertz, size / sample_rate)) is not None]
    if not low:
        return math.nan, 0.0
    fundamental = float(np.average([place / n for n, place in low], weights=[n for n, _ in low]))
    sought = [n for n in _PARTIALS if n * fundamental * (1 + _REACH) < 0.45 * sample_rate]
    places = [(n, _peak(level, n * fundamental, fundamental, size / sample_rate)) for n in sought]
    cents = [abs(1200 * math.log2(place / (n * fundamental))) for n, place in places if place is not None]
    return (float(np.mean(cents)) if cents else math.nan), (100 * len(cents) / len(sought) if sought else math.nan)


def click(wave: Wave) -> float:
    """*Clicks at the ends*: the jump from silence to the first sample, or from the last to silence, the larger, in % of the peak."""
    peak = float(np.abs(wave).max(initial=0))
    return 100 * max(abs(float(wave[0])), abs(float(wave[-1]))) / peak if peak > 0 else math.nan


def highs(wave: Wave, sample_rate: int) -> float:
    """*Dead highs*: energy above 8 kHz in dB under that of the whole sound (at least -90)."""
    if sample_rate < 2.2 * _AIR_HZ:
        return math.nan
    power = np.square(np.abs(np.fft.rfft(wave)))
    total = power[1:].sum()
    above = power[math.ceil(_AIR_HZ * len(wave) / sample_rate) :].sum()
    return float(max(_LEAST_DB, 10 * np.log10(max(above / total, 1e-12)))) if total > 0 else math.nan


def _peak(level: Wave, hertz: float, fundamental: float, bins: float) -> float | None:
    """Where, in Hz, a partial stands that is looked for at `hertz`; None where none does. level: dB; bins: a Hz."""
    first, last = math.ceil(hertz * (1 - _REACH) * bins), math.floor(hertz * (1 + _REACH) * bins)
    if last >= len(level) - 1 or last - first < 2:
        return None
    top = first + int(level[first : last + 1].argmax())
    around = level[max(0, round((hertz - fundamental / 2) * bins)) : round((hertz + fundamental / 2) * bins) + 1]
    if top in (first, last) or level[top] < np.median(around) + _STANDS_OUT_DB or level[top] < level.max() - 80:
        return None
    left, here, right = level[top - 1 : top + 2]
    bend = left - 2 * here + right
    return float((top + (0.5 * (left - right) / bend if bend < 0 else 0.0)) / bins)


def _levels(wave: Wave, sample_rate: int) -> Wave | None:
    """Level by blocks in dB under the loudest; None for silence."""
    block = max(1, round(_BLOCK_S * sample_rate))
    padded = np.pad(wave, (0, -len(wave) % block))
    energy = np.square(padded).reshape(-1, block).mean(1)
    most = energy.max(initial=0)
    return None if not most > 0 else 10 * np.log10(np.maximum(energy / most, 1e-12))


def _above(wave: Wave, sample_rate: int, hertz: float) -> Wave:
    """What lies above a frequency, causally: nothing rings before an attack."""
    from scipy import signal

    if hertz >= 0.45 * sample_rate:
        return np.zeros_like(wave)
    return np.asarray(signal.sosfilt(signal.butter(6, hertz, "highpass", fs=sample_rate, output="sos"), wave), np.float64)


def _mono(sound: Tensor) -> Wave:
    if sound.ndim != 2 or not sound.shape[-1]:
        raise ShapeError(f"a sound must be (channels, time) with one sample or more, not {tuple(sound.shape)}")
    return np.asarray(sound.detach().cpu().double().mean(0).numpy(), np.float64)
