"""Artefact metrics: constructed sounds with a known artefact have the expected value, clean ones do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from timbrespace.contracts import ShapeError
from timbrespace.evaluation import artefacts

RATE = 44_100
TIME = np.arange(RATE) / RATE


def noise(seed: int = 0, count: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


def tone(hertz: float, *, cents: float = 0.0, count: int = 12) -> np.ndarray:
    """Harmonics 1/n, those from the fourth on moved up by `cents`."""
    ratio = 2 ** (cents / 1200)
    return sum(np.sin(2 * np.pi * n * hertz * (ratio if n >= 4 else 1.0) * TIME + n) / n for n in range(1, count + 1)) * np.exp(-2 * TIME)


def test_variety_is_a_ratio_of_spreads() -> None:
    points = np.random.default_rng(0).standard_normal((200, 6))
    assert artefacts.variety(points, points) == pytest.approx(1)
    assert artefacts.variety(7 + 0.25 * points, points) == pytest.approx(0.25)
    assert artefacts.variety(np.ones((5, 6)), points) == 0


def test_a_haze_behind_a_hit_is_a_tail() -> None:
    hit = np.exp(-40 * TIME) * noise(1)
    hit[TIME > 0.19] = 0  # 66 dB down
    short = hit[TIME <= 0.19]
    hazy = hit + 10 ** (-50 / 20) * noise(2) * (TIME > 0.19)
    clean, faulty = artefacts.tail(short, RATE), artefacts.tail(hazy, RATE)
    assert faulty[0] == pytest.approx(-50, abs=3)  # under the loudest block
    assert clean[0] < faulty[0] - 6
    assert faulty[1] == pytest.approx(100 * (1 - 0.11), abs=5)  # from 40 dB down, at 0.115 s, to the end
    assert clean[1] < 50
    assert math.isnan(artefacts.tail(np.zeros(500), RATE)[0])


@pytest.mark.parametrize("hop", [256, 1024])
def test_blocks_stutter_at_their_rate_and_noise_does_not(hop: int) -> None:
    plain = [artefacts.stutter(noise(k), RATE, hop=hop) for k in range(12)]
    gain = np.repeat(np.random.default_rng(1).uniform(0.3, 1, RATE // hop + 1), hop)[:RATE]
    steps = [artefacts.stutter(gain * noise(k), RATE, hop=hop) for k in range(12)]
    ripple = [artefacts.stutter((1 + 0.4 * np.cos(2 * np.pi * RATE / hop * TIME)) * noise(k), RATE, hop=hop) for k in range(12)]
    assert abs(np.mean(plain)) < 1.5
    assert np.mean(ripple) > np.mean(plain) + 6
    assert np.mean(steps) > np.mean(plain) + (4 if hop == 1024 else 0.5)
    assert math.isnan(artefacts.stutter(noise(0, 6 * hop), RATE, hop=hop))


def test_wrong_phases_flatten_the_highs() -> None:
    clicks = np.zeros(RATE)
    clicks[500::1411] = 1.0  # one in 32 ms
    spectrum = np.fft.rfft(clicks)
    smeared = np.fft.irfft(np.abs(spectrum) * np.exp(2j * np.pi * np.random.default_rng(0).random(len(spectrum))))
    assert artefacts.high_flatness(noise(3), RATE) == pytest.approx(-0.12, abs=0.06)  # chi-square of 36 degrees: digamma(18) - log(18)
    assert artefacts.high_flatness(clicks, RATE) < -15
    assert artefacts.high_flatness(smeared, RATE) > artefacts.high_flatness(clicks, RATE) + 10
    assert artefacts.high_flatness(np.sin(2 * np.pi * 6000 * TIME), RATE) > -0.1
    assert math.isnan(artefacts.high_flatness(np.zeros(RATE), RATE))


@pytest.mark.parametrize("hertz", [110.0, 261.6, 523.3])
@pytest.mark.parametrize("cents", [0.0, 15.0, -30.0])
def test_detuned_partials_are_measured_in_cents(hertz: float, cents: float) -> None:
    found, share = artefacts.partials(tone(hertz, cents=cents), RATE)
    assert found == pytest.approx(abs(cents), abs=1)
    assert share == 100


def test_missing_partials_and_sounds_without_pitch() -> None:
    cents, share = artefacts.partials(tone(220, count=5), RATE)
    assert cents < 1
    assert share == pytest.approx(100 * 2 / 7)
    assert all(map(math.isnan, artefacts.partials(noise(4), RATE)))
    assert all(map(math.isnan, artefacts.partials(tone(110)[:3000], RATE)))


def test_clicks_are_jumps_from_and_to_silence() -> None:
    wave = np.sin(2 * np.pi * 100 * TIME[:4410])
    assert artefacts.click(wave) < 2
    wave[-1] = 0.5
    assert artefacts.click(wave) == pytest.approx(50, abs=0.1)
    assert artefacts.click(np.concatenate([[-0.25], np.hanning(100)])) == pytest.approx(25, rel=0.01)


def test_highs_are_a_share_of_the_energy() -> None:
    low, high = np.sin(2 * np.pi * 500 * TIME), np.sin(2 * np.pi * 10_000 * TIME)
    assert artefacts.highs(low + 0.1 * high, RATE) == pytest.approx(-20, abs=0.1)
    assert artefacts.highs(low, RATE) == -90
    assert math.isnan(artefacts.highs(low, 16_000))


def test_all_metrics_beside_those_of_real_sounds() -> None:
    real = [torch.from_numpy(tone(f) + 0.01 * noise(k)).float()[None] for k, f in enumerate((110, 165, 220, 330))]
    made = [real[0] + 0.001 * torch.from_numpy(noise(9 + k)).float() for k in range(3)]
    found = artefacts.artefact_metrics(made, real, sample_rate=RATE, hop=256)
    assert found.keys() == artefacts.ARTEFACTS.keys()
    assert found["variety"]["new"] < 0.4
    assert found["click_percent"]["real"] > 0
    same = artefacts.artefact_metrics(real, real, sample_rate=RATE, hop=256)
    assert all(row["new"] == pytest.approx(row["real"]) for row in same.values())
    with pytest.raises(ShapeError, match="two sounds"):
        artefacts.artefact_metrics(made[:1], real, sample_rate=RATE, hop=256)
    with pytest.raises(ShapeError, match="channels, time"):
        artefacts.metrics_per_sound([torch.zeros(5)], sample_rate=RATE, hop=256)
