"""Vibrato and tremolo are measured as they were made, and what is none is not called one."""

from __future__ import annotations

import numpy as np
import pytest
from modulated_tones import RATE, Wave, tone

from timbrespace.contracts import ConfigError
from timbrespace.modulation.fluctuation import SECONDS, fluctuation
from timbrespace.modulation.measuring import Measured, measure_audio


def measured(sound: Wave, rate: int = RATE) -> Measured:
    return measure_audio(sound, rate)


@pytest.mark.parametrize(
    ("hertz", "rate", "depth", "noise"),
    [(220, 5.5, 30, 0.001), (98, 4.0, 60, 0.001), (880, 7.3, 12, 0.001), (330, 6.1, 100, 0.001), (220, 5.0, 25, 0.3)],
)
def test_a_vibrato_is_measured(hertz: float, rate: float, depth: float, noise: float) -> None:
    found = measured(tone(hertz, vibrato=depth, vibrato_rate=rate, noise=noise))
    assert found.vibrato is not None
    assert found.vibrato.rate == pytest.approx(rate, rel=0.01)
    assert found.vibrato.depth == pytest.approx(depth, rel=0.03)
    assert found.vibrato.regularity > 0.9
    assert found.tremolo is None
    assert found.notes[0].midi == pytest.approx(69 + 12 * np.log2(hertz / 440), abs=0.1)


@pytest.mark.parametrize(("rate", "depth"), [(3.2, 1.0), (5.0, 3.0), (8.0, 6.0), (4.0, 10.0)])
def test_a_tremolo_is_measured(rate: float, depth: float) -> None:
    found = measured(tone(180, tremolo=depth, tremolo_rate=rate))
    assert found.vibrato is None
    assert found.tremolo is not None
    assert found.tremolo.rate == pytest.approx(rate, rel=0.02)
    assert found.tremolo.depth == pytest.approx(depth, rel=0.05)


def test_both_together_and_at_another_sample_rate() -> None:
    found = measured(tone(250, 3.0, vibrato=40, tremolo=2, tremolo_rate=6.5, rate=16_000), 16_000)
    assert found.vibrato is not None
    assert found.tremolo is not None
    assert (found.vibrato.rate, found.tremolo.rate) == (pytest.approx(5.5, rel=0.01), pytest.approx(6.5, rel=0.02))
    assert (found.vibrato.depth, found.tremolo.depth) == (pytest.approx(40, rel=0.03), pytest.approx(2, rel=0.06))


@pytest.mark.parametrize("delay", [0.4, 0.9])
def test_the_delay_of_a_vibrato_is_found(delay: float) -> None:
    found = measured(tone(300, 2.5, vibrato=40, delay=delay))
    assert found.vibrato is not None
    assert found.vibrato.delay == pytest.approx(delay, abs=0.05)
    assert found.vibrato.depth == pytest.approx(40, rel=0.05)


def test_a_vibrato_whose_rate_wanders_is_less_regular() -> None:
    time = np.arange(400) * SECONDS
    even = np.sin(2 * np.pi * 5.5 * time)
    wandering = np.sin(2 * np.pi * (5.5 * time + 0.15 * np.sin(2 * np.pi * 0.9 * time)))
    assert fluctuation(even).regularity > fluctuation(wandering).regularity > 0.3
    assert fluctuation(wandering).depth == pytest.approx(1.0, rel=0.1)


def test_the_slow_course_keeps_slides_and_decays_out_of_the_modulation() -> None:
    time = np.arange(350) * SECONDS
    slow = 30 * time**2 - 90 * time  # a sagging note
    found = fluctuation(slow + 20 * np.sin(2 * np.pi * 6 * time + 1))
    assert found.rate == pytest.approx(6, rel=0.01)
    assert found.depth == pytest.approx(20, rel=0.03)
    assert np.abs(found.slow - slow).max() < 2.0


@pytest.mark.parametrize("seed", range(4))
def test_noise_and_steady_tones_have_no_modulation(seed: int) -> None:
    noise = (0.1 * np.random.default_rng(seed).standard_normal((1, 2 * RATE))).astype(np.float32)
    found = measured(noise)
    assert (found.vibrato, found.tremolo, found.pitched) == (None, None, 0.0)
    steady = measured(tone(150 * (seed + 1), 1.0, noise=0.2))
    assert (steady.vibrato, steady.tremolo) == (None, None)
    assert steady.pitched > 0.8


def test_a_tone_of_its_own_motion_beside_others_has_no_known_vibrato() -> None:
    chord = tone(220, vibrato=30) + tone(277.2) + tone(329.6)
    found = measured(chord)
    assert found.vibrato is None
    assert sum(stop - start for start, stop in found.several) > 1.5


def test_notes_are_measured_one_by_one() -> None:
    melody = np.concatenate([tone(220, 1.0), tone(330, 1.5, vibrato=40), tone(262, 1.5, vibrato=20)], axis=1)
    found = measured(melody)
    assert [note.vibrato is None for note in found.notes] == [True, False, False]
    assert [note.vibrato.depth for note in found.notes if note.vibrato] == [pytest.approx(40, rel=0.05), pytest.approx(20, rel=0.05)]
    assert found.vibrato is not None
    assert found.vibrato.share == pytest.approx(0.75, abs=0.04)


def test_a_sound_without_samples_is_refused() -> None:
    with pytest.raises(ConfigError, match="no samples"):
        measured(np.zeros((1, 0), np.float32))


@pytest.mark.parametrize("samples", [1, 100, 5_000])
def test_short_sounds_have_none(samples: int) -> None:
    found = measured(tone(400)[:, 10_000 : 10_000 + samples])
    assert (found.vibrato, found.tremolo) == (None, None)
