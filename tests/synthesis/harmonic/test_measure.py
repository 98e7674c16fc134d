"""Traits of synthesised notes whose noise, flutter and vibrato are known."""

import math

import numpy as np
import pytest

from timbrespace.synthesis.harmonic.measure import measure_note
from timbrespace.synthesis.harmonic.traits import ATTACK, FLUTTER, LEAST_FLUTTER, LEAST_WANDER, SUSTAINED, TRAITS, WANDER, ZONES
from timbrespace.synthesis.harmonic.traits import RATE as SWINGS

RATE = 44_100


def note(hertz: float, seconds: float = 1.5, *, partials: int = 20, cents: float = 0.0, swings: float = 5.0) -> np.ndarray:
    """A note with partials that fall by 6 dB an octave, and vibrato of `cents` standard deviation."""
    time = np.arange(round(seconds * RATE)) / RATE
    course = hertz * 2 ** (cents * math.sqrt(2) * np.sin(2 * np.pi * swings * time) / 1200)
    turns = np.cumsum(course) / RATE
    return sum(np.sin(2 * np.pi * (k + 1) * turns + k) / (k + 1) for k in range(partials))  # type: ignore[no-any-return]


@pytest.mark.parametrize("hertz", [110.0, 220.3, 440.0, 987.7])
def test_a_steady_note_has_hardly_any_noise_flutter_or_wander(hertz: float) -> None:
    traits = measure_note(note(hertz, partials=int(10_000 / hertz)), RATE, hertz)
    shares = traits[SUSTAINED][np.isfinite(traits[SUSTAINED])]  # zones without a partial have none
    assert len(shares) >= 4
    assert (shares[:-1] < math.log(1e-4)).all()  # the last one ends above the highest partial
    assert math.exp(traits[FLUTTER]) - LEAST_FLUTTER < 0.05
    assert math.exp(traits[WANDER]) - LEAST_WANDER < 0.5


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_of_noise_is_found(share: float) -> None:
    """Noise between 2,400 and 3,200 Hz of a known share of the power there."""
    clean, zone = note(220.0), ZONES.index(2_400.0)
    bins = np.fft.rfftfreq(len(clean), 1 / RATE)
    inside = (bins >= ZONES[zone]) & (bins < ZONES[zone + 1])
    noise = np.fft.irfft(np.fft.rfft(np.random.default_rng(0).standard_normal(len(clean))) * inside, len(clean))
    power = np.square(np.fft.irfft(np.fft.rfft(clean) * inside, len(clean))).mean()
    noise *= math.sqrt(share / (1 - share) * power / np.square(noise).mean())
    found = measure_note(clean + noise, RATE, 220.0)[zone]
    assert 10 * abs(found - math.log(share)) / math.log(10) < 1.0  # dB


@pytest.mark.parametrize(("cents", "swings"), [(5.0, 3.0), (12.0, 5.5), (20.0, 7.0)])
def test_vibrato_is_found(cents: float, swings: float) -> None:
    traits = measure_note(note(330.0, cents=cents, swings=swings), RATE, 330.0)
    assert math.exp(traits[WANDER]) - LEAST_WANDER == pytest.approx(cents, rel=0.12)
    assert math.exp(traits[SWINGS]) == pytest.approx(swings, rel=0.2)


@pytest.mark.parametrize("swings", [9.0, 14.0, 20.0])
def test_tremolo_is_flutter(swings: float) -> None:
    """Partials are followed up to 52 Hz with a raised cosine, and the trend, a Hann window of 25 values at 200 Hz, is taken off."""
    time = np.arange(round(1.5 * RATE)) / RATE
    depth = 1.0  # dB, standard deviation
    swell = 10 ** (depth * math.sqrt(2) * np.sin(2 * np.pi * swings * time) / 20)
    traits = measure_note(note(330.0) * swell, RATE, 330.0)
    window = np.hanning(27)[1:-1] / np.hanning(27).sum()
    trend = float(np.sum(window * np.cos(2 * np.pi * swings / 200 * np.arange(-12, 13))))
    expected = depth * (1 - trend) * (0.5 + 0.5 * math.cos(math.pi * swings / 52.5))
    assert math.exp(traits[FLUTTER]) - LEAST_FLUTTER == pytest.approx(expected, rel=0.08)


def test_a_pitch_that_is_a_little_off_does_not_turn_high_partials_into_noise() -> None:
    exact, off = (measure_note(note(220.0, partials=40), RATE, hertz) for hertz in (220.0, 220.0 * 2 ** (9 / 1200)))
    zone = ZONES.index(6_400.0)
    assert max(off[zone], exact[zone]) < math.log(1e-3)


@pytest.mark.parametrize(
    "wave", [np.zeros(44_100), np.zeros(1), np.ones(100), note(220.0, 0.1)], ids=["silence", "one sample", "short", "0.1 s"]
)
def test_what_cannot_be_measured_is_nan(wave: np.ndarray) -> None:
    traits = measure_note(wave, RATE, 220.0)
    assert traits.shape == (TRAITS,)
    assert np.isnan(traits[FLUTTER : SWINGS + 1]).all()


def test_a_low_note_too_short_to_resolve_has_no_noise_share() -> None:
    traits = measure_note(note(40.0, 0.05), RATE, 40.0)
    assert np.isnan(traits[SUSTAINED]).all()
    assert np.isnan(traits[ATTACK]).all()


def test_a_noisy_stroke_is_noise_of_the_attack_alone() -> None:
    """White noise in the first 30 ms, as of a hammer, over a steady note."""
    clean, stroke = note(330.0, partials=40), round(0.03 * RATE)
    wave = clean.copy()
    wave[:stroke] += np.random.default_rng(0).standard_normal(stroke)
    traits, steady = measure_note(wave, RATE, 330.0), measure_note(clean, RATE, 330.0)
    zones = [k for k in range(len(ZONES) - 1) if 1_000 < ZONES[k] < 9_000]
    assert (traits[ATTACK][zones] > steady[ATTACK][zones] + 3).all()
    np.testing.assert_allclose(traits[SUSTAINED][zones], steady[SUSTAINED][zones], atol=0.1)
