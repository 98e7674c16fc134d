"""The toy corpora against their formulas, worked out another way, and what every clip of them must hold."""

from __future__ import annotations

import time
from math import prod

import numpy as np
import pytest
import torch
from scipy import special

from timbrespace.audio.filters import biquad, feedback_of, ladder, response
from timbrespace.contracts import ConfigError
from timbrespace.corpus.labels.names import pitch_and_velocity
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.registry import SYNTHETIC, recipe_of, synthetic_clips
from timbrespace.corpus.synthetic.toys import normalised, toy_clips, toy_places, toy_waves
from timbrespace.corpus.synthetic.toys_factors import BINS, FACTORS, NOISE, RMS, SIZE, toy_shape

RATE = 44_100
RATES = (8000, RATE, 96_000)
COUNTS = {"richness": 10_000, "additive": 20_000, "fm": 44_800}


def one(name: str, *place: int, seed: int = 0, rate: int = RATE) -> SyntheticClip:
    (clip,) = toy_clips(name, [int(np.ravel_multi_index(place, toy_shape(name)))], seed=seed, sample_rate=rate)
    return clip


def wave(name: str, *place: int, **options: int) -> np.ndarray:
    return one(name, *place, **options).audio[0].double().numpy()


def level(x: np.ndarray) -> np.ndarray:
    return x * RMS / np.sqrt(np.mean(x**2))


def through(hertz: np.ndarray, gains: np.ndarray, sections: np.ndarray, rate: int) -> np.ndarray:
    """A sum of sines after a filter, settled: from the filter's response instead of by running it."""
    gain = gains * response(sections, hertz, sample_rate=rate)
    return (gain[:, None] * np.exp(2j * np.pi * np.outer(hertz, np.arange(SIZE) / rate))).sum(axis=0).imag


@pytest.mark.parametrize("version", ["", "-normalised", "-noisy"])
@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_factors(name: str, version: str) -> None:
    recipe = recipe_of(f"synthetic:{name}{version}")
    assert recipe.count == COUNTS[name] == prod(toy_shape(name + version))
    assert recipe.as_is
    assert recipe.fixed
    factors = FACTORS[name + version]
    assert ("noise" in factors) == (version == "-noisy")
    assert all(list(values) == sorted(set(values)) for values in factors.values())
    first, last = (next(toy_clips(name + version, [i], seed=0, sample_rate=RATE)) for i in (0, recipe.count - 1))
    assert list(first.labels) == list(factors) == list(last.labels)
    for factor, values in factors.items():
        if factor != "noise":
            assert (first.labels[factor], last.labels[factor]) == (0, len(values) - 1)


@pytest.mark.parametrize("rate", RATES)
def test_richness_is_its_formula(rate: int) -> None:
    for harmonic, growth in ((1, 0), (3, 50), (49, 199)):
        n = np.arange(1, harmonic + 3)  # index 0 of the factor is the second harmonic
        gains = np.append(1 / n[:-1], growth / 200 / n[-1]) * (n * 220 < rate / 2)
        expected = (gains[:, None] * np.sin(2 * np.pi * 220 * np.outer(n, np.arange(SIZE) / rate))).sum(axis=0)
        assert np.allclose(wave("richness", harmonic, growth, rate=rate), level(expected), atol=1e-6)
    assert one("richness", 5, 5).pitch == 57.0


def test_richness_begins_with_the_sine_alone_and_no_two_spectra_are_equal() -> None:
    sine = np.sin(2 * np.pi * 220 * np.arange(SIZE) / RATE)
    assert np.allclose(wave("richness", 0, 0), level(sine), atol=1e-7)
    seen = set[bytes]()
    for start in range(0, 10_000, 500):
        waves = toy_waves("richness", range(start, start + 500), seed=0, sample_rate=RATE).astype(np.float32)
        assert np.allclose((waves**2).mean(1), RMS**2, rtol=1e-4)  # none is silent, all have the same energy
        assert (np.abs(np.diff(waves, axis=0)).max(1) > 1e-6).all()
        seen |= {row.tobytes() for row in waves}
    assert len(seen) == 10_000


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("place", [(0, 1, 0, 9), (3, 0, 9, 0), (5, 7, 9, 0), (9, 19, 4, 4), (2, 19, 9, 9)])
def test_additive_is_its_formula_through_the_filters_response(place: tuple[int, ...], rate: int) -> None:
    j, k, q, f = (list(FACTORS["additive"].values())[axis][at] for axis, at in enumerate(place))
    hertz = np.array([(2 * n + j) * 110 for n in range(int(k) + 1)])
    hertz = hertz[hertz < rate / 2]
    expected = through(hertz, np.ones(hertz.size), biquad("low", f * 44_100 / 200, q, sample_rate=rate), rate)
    assert np.allclose(wave("additive", *place, rate=rate), level(expected), atol=2e-6)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("place", [(0, 0, 0, 0, 0), (7, 6, 7, 0, 9), (3, 2, 4, 9, 0), (5, 1, 1, 4, 6)])
def test_fm_is_its_sidebands_through_the_ladders_response(place: tuple[int, ...], rate: int) -> None:
    j, ratio, index, f, q = (list(FACTORS["fm"].values())[axis][at] for axis, at in enumerate(place))
    order = np.arange(-90, 91)
    hertz, gains = [], []
    for carrier in (110, 110 + 11 * j, 110 - 11 * j):
        hertz.append(carrier * (1 + order * ratio))
        gains.append(special.jv(order, index))
    sections = ladder(f * 44_100 / 200, feedback_of(q), sample_rate=rate)
    expected = through(np.concatenate(hertz), np.concatenate(gains), sections, rate)
    assert np.allclose(wave("fm", *place, rate=rate), level(expected), atol=2e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_energy_is_the_same_silence_stays_and_all_is_finite(name: str) -> None:
    step = COUNTS[name] // 100
    indices = list(range(0, COUNTS[name], step))
    waves = toy_waves(name, indices, seed=0, sample_rate=RATE)
    energy = np.sqrt(np.mean(waves**2, axis=1))
    silent = energy == 0
    assert np.allclose(energy[~silent], RMS)
    assert np.isfinite(waves).all()
    assert np.abs(waves).max() < 1.0
    places = toy_places(name, indices, seed=0)
    if name == "additive":
        assert np.array_equal(silent, (places["inharmonicity"] == 0) & (places["harmonics"] == 0))
    else:
        assert silent.sum() == 0
    scaled = normalised(waves)
    window = torch.hamming_window(SIZE, dtype=torch.float64).numpy()
    peaks = np.abs(np.fft.rfft(scaled * window))[:, :BINS].max(axis=1)
    assert np.allclose(peaks[~silent], 1.0)
    assert not scaled[silent].any()
    few = [0, indices[7], indices[-1]]
    assert np.array_equal(toy_waves(f"{name}-normalised", few, seed=0, sample_rate=RATE), scaled[[0, 7, -1]])


def test_noise_is_balanced_by_energy_and_drawn_from_the_seed() -> None:
    indices = list(range(4000, 4400))
    clean, noisy = (toy_waves(name, indices, seed=4, sample_rate=RATE) for name in ("richness", "richness-noisy"))
    places = toy_places("richness-noisy", indices, seed=4)
    share = np.array(NOISE)[places["noise"]]
    assert np.allclose(np.sqrt(np.mean(noisy**2, axis=1)), RMS)
    alike = (clean * noisy).mean(axis=1) / RMS**2
    assert np.allclose(alike, np.sqrt(1 - share), atol=0.06)
    assert np.allclose(noisy[share == 0], clean[share == 0], atol=1e-12)
    counts = np.bincount(places["noise"], minlength=len(NOISE))
    assert counts.min() > 15
    assert not np.array_equal(places["noise"], toy_places("richness-noisy", indices, seed=5)["noise"])
    assert np.array_equal(clean, toy_waves("richness", indices, seed=5, sample_rate=RATE))
    rest = noisy - np.sqrt(1 - share)[:, None] * clean
    loud = np.flatnonzero(share > 0.5)
    assert np.abs(np.corrcoef(rest[loud])[~np.eye(loud.size, dtype=bool)]).max() < 0.1  # every clip a noise of its own


def test_noise_over_silence_is_as_loud_as_its_share() -> None:
    indices = list(range(100))  # j = k = 0
    noisy = toy_waves("additive-noisy", indices, seed=0, sample_rate=RATE)
    share = np.array(NOISE)[toy_places("additive-noisy", indices, seed=0)["noise"]]
    assert np.allclose(np.mean(noisy**2, axis=1), share * RMS**2)
    assert (share == 0).any()


@pytest.mark.parametrize("name", ["richness", "additive-normalised", "fm", "fm-noisy"])
def test_a_clip_is_the_same_whatever_is_made_with_it(name: str) -> None:
    indices = list(range(300, 900, 2))  # more than a block
    many = list(toy_clips(name, indices, seed=3, sample_rate=RATE))
    for at in (0, 17, 255, 256, 299):
        (alone,) = toy_clips(name, [indices[at]], seed=3, sample_rate=RATE)
        assert torch.equal(alone.audio, many[at].audio)
        assert (alone.name, alone.labels) == (many[at].name, many[at].labels)
    assert len({clip.name for clip in many}) == len(many)
    for clip in many[:50]:
        assert clip.audio.shape == (1, SIZE)
        assert clip.audio.dtype == torch.float32
        assert clip.category is None
        assert pitch_and_velocity(clip.name) == (None, None), "names must not read as notes"
        assert all(type(value) is int for value in clip.labels.values())


def test_fewer_clips_are_a_choice_more_are_refused() -> None:
    some = [clip.name for clip in synthetic_clips("synthetic:additive", count=40, seed=1)]
    assert some == sorted(some)
    assert len(set(some)) == 40
    assert some == [clip.name for clip in synthetic_clips("additive", count=40, seed=1)]
    assert some != [clip.name for clip in synthetic_clips("additive", count=40, seed=2)]
    assert len({name.split("/")[1][:3] for name in some}) > 5  # spread over the whole
    with pytest.raises(ConfigError, match=r"20000.*20001"):
        synthetic_clips("additive", count=20_001)


@pytest.mark.parametrize("name", COUNTS)
def test_decibels_are_a_view_and_the_error_says_which(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"synthetic:{name} .*representation\.scale=decibels.*scale=decibels"):
        recipe_of(f"synthetic:{name}-db")
    assert f"{name}-db" not in SYNTHETIC


def test_all_of_the_largest_takes_well_under_a_minute() -> None:
    toy_waves("fm", [0], seed=0, sample_rate=RATE)
    start = time.process_time()
    assert sum(1 for _ in toy_clips("fm", range(20_000, 20_600), seed=0, sample_rate=RATE)) == 600
    assert (time.process_time() - start) / 600 * 44_800 < 60  # ample: about 15 s on one core
