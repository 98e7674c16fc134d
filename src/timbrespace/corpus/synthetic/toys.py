"""The toy corpora: spectra with known factors, to test whether a model recovers the factors.

richness    Σ 1/n sin(2π n 220 t) from the sine alone on, harmonics entering one after another and growing to 1/n
additive    a resonant low-pass after Σ sin(2π (2n + j) 110 t), n = 0…k
fm          a resonant ladder after the sum of three FM pairs with the carriers 110 and 110 ± 11 j Hz

A clip is one window of SIZE samples at any sample rate, cut from the settled sound. Frequencies in Hz are the same at any rate; partials
above half the rate are left out. Silent settings stay silent; all others have the same energy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch

from timbrespace.audio.filters import Array, biquad, feedback_of, ladder, run, settling
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.toys_factors import BINS, CUTOFF_STEP_HZ, FACTORS, RICHNESS_HZ, RMS, SIZE, TOY_HZ, toy_shape

_BLOCK = 256  # clips computed at once
_SHORT = {
    "inharmonicity": "j",
    "harmonics": "k",
    "harmonic": "n",
    "growth": "g",
    "frequency": "f",
    "index": "i",
    "ratio": "r",
    "detune": "j",
}


def toy_clips(name: str, indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    """Yields the clips of the toy corpus `name` with these indices, in order. Clip i depends on i and the rate; noise also on the seed."""
    for start in range(0, len(indices), _BLOCK):
        block = [int(i) for i in indices[start : start + _BLOCK]]
        places = toy_places(name, block, seed=seed)
        audio = torch.from_numpy(toy_waves(name, block, seed=seed, sample_rate=sample_rate).astype(np.float32))
        pitch = 57.0 if name.startswith("richness") else None
        for row, wave in enumerate(audio):
            labels: dict[str, float | int | str] = {factor: int(values[row]) for factor, values in places.items()}
            place = "_".join(f"{_SHORT.get(factor, factor)}{labels[factor]:0{_digits(name, factor)}d}" for factor in labels)
            yield SyntheticClip(f"{name}/{place}", None, wave[None].clone(), labels, pitch)


def toy_places(name: str, indices: Sequence[int], *, seed: int) -> dict[str, np.ndarray]:
    """Factor -> index of its value in each clip, `(clips,)`. `noise` is drawn from the seed, uniformly over its values."""
    grid = np.unravel_index(np.asarray(indices, dtype=np.int64), toy_shape(name))
    places = dict(zip([factor for factor in FACTORS[name] if factor != "noise"], grid, strict=True))
    if "noise" in FACTORS[name]:
        count = len(FACTORS[name]["noise"])
        places["noise"] = np.array([np.random.default_rng([seed, index, 0]).integers(count) for index in indices], dtype=np.int64)
    return places


def toy_waves(name: str, indices: Sequence[int], *, seed: int, sample_rate: int) -> Array:
    """The waves of toy clips, `(clips, SIZE)` float64."""
    places = toy_places(name, indices, seed=seed)
    factors = {factor: np.array(FACTORS[name][factor])[at] for factor, at in places.items()}
    kind, _, version = name.partition("-")
    waves = levelled({"richness": _richness, "additive": _additive, "fm": _fm}[kind](factors, sample_rate))
    if version == "noisy":
        return _noisy(waves, factors["noise"], indices, seed=seed)
    return normalised(waves) if version == "normalised" else waves


def levelled(waves: Array) -> Array:
    """Waves `(clips, time)`, each scaled to the root mean square RMS; silence stays silence."""
    size = np.sqrt(np.mean(waves**2, axis=1, keepdims=True))
    return np.where(size > 1e-9, waves * (RMS / np.maximum(size, 1e-9)), 0.0)


def normalised(waves: Array) -> Array:
    """Waves `(clips, SIZE)`, each scaled so that the largest of its BINS lowest Hamming magnitudes is 1; silence stays silence."""
    peak = np.abs(np.fft.rfft(waves * np.hamming(SIZE + 1)[:-1], axis=1)[:, :BINS]).max(axis=1, keepdims=True)
    return np.where(peak > 1e-9, waves / np.maximum(peak, 1e-9), 0.0)


def _noisy(waves: Array, share: Array, indices: Sequence[int], *, seed: int) -> Array:
    """Mixes signal and white noise by energy; a silent signal gives the noise alone, at its share of the energy."""
    noise = levelled(np.stack([np.random.default_rng([seed, index, 1]).standard_normal(SIZE) for index in indices]))
    mixed = np.sqrt(1 - share)[:, None] * waves + np.sqrt(share)[:, None] * noise
    silent = ~waves.any(axis=1)
    mixed[~silent] = levelled(mixed[~silent])
    return mixed


def _richness(factors: dict[str, Array], rate: int) -> Array:
    harmonics = np.arange(1, FACTORS["richness"]["harmonic"][-1] + 1)
    harmonics = harmonics[harmonics * RICHNESS_HZ < rate / 2]
    growing, growth = factors["harmonic"][:, None], factors["growth"][:, None]
    gains = np.where(growing > harmonics, 1.0, np.where(growing == harmonics, growth, 0.0)) / harmonics
    return np.stack([gain @ _sines(len(harmonics), rate) for gain in gains])


@lru_cache(maxsize=2)
def _sines(count: int, rate: int) -> Array:
    """The first harmonics of RICHNESS_HZ, `(count, SIZE)`."""
    return np.sin(2 * np.pi * RICHNESS_HZ / rate * np.outer(np.arange(1, count + 1), np.arange(SIZE)))


def _additive(factors: dict[str, Array], rate: int) -> Array:
    filters = biquad("low", CUTOFF_STEP_HZ * factors["frequency"], factors["q"], sample_rate=rate)
    sources = [_partials(float(j), int(k), rate) for j, k in zip(factors["inharmonicity"], factors["harmonics"], strict=True)]
    return _settled(sources, filters)


def _fm(factors: dict[str, Array], rate: int) -> Array:
    filters = ladder(CUTOFF_STEP_HZ * factors["frequency"], feedback_of(factors["q"]), sample_rate=rate)
    pairs = zip(factors["detune"], factors["ratio"], factors["index"], strict=True)
    return _settled([_carriers(float(j), float(ratio), float(index), rate) for j, ratio, index in pairs], filters)


def _settled(sources: list[Array], filters: Array) -> Array:
    """The last SIZE samples of every source `(time,)` after its filter, `(clips, SIZE)`: the filter has settled before them."""
    lead = np.minimum(settling(filters), sources[0].size - SIZE)
    return np.stack([run(source[-SIZE - n :], sos)[-SIZE:] for source, n, sos in zip(sources, lead, filters, strict=True)])


@lru_cache(maxsize=16)
def _partials(j: float, k: int, rate: int) -> Array:
    hertz = (2 * np.arange(k + 1) + j) * TOY_HZ
    return np.sin(2 * np.pi * np.outer(hertz[hertz < rate / 2], _instants(rate))).sum(axis=0)


@lru_cache(maxsize=16)
def _carriers(j: float, ratio: float, index: float, rate: int) -> Array:
    wave = np.zeros(_instants(rate).size)
    for hertz in (TOY_HZ, TOY_HZ * (1 + j / 10), TOY_HZ * (1 - j / 10)):
        phase = 2 * np.pi * hertz * _instants(rate)
        wave += np.sin(phase + index * np.sin(ratio * phase))
    return wave


@lru_cache(maxsize=2)
def _instants(rate: int) -> Array:
    """Times in s of a source: 0 at the first sample of the clip, preceded by the settling time of the slowest filter."""
    slowest = (ladder(CUTOFF_STEP_HZ, feedback_of(10.0), sample_rate=rate), biquad("low", CUTOFF_STEP_HZ, 10.0, sample_rate=rate))
    return np.arange(-max(int(settling(sections)) for sections in slowest), SIZE) / rate


def _digits(name: str, factor: str) -> int:
    return max(2, len(str(len(FACTORS[name][factor]) - 1)))  # at least two: 'f3' would be read as a note name
