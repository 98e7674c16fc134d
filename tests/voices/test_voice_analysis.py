"""Analysis and rendering of voices against closed forms: tones, noise, silence, any length."""

from __future__ import annotations

import numpy as np
import pytest
from melodies import melody

from timbrespace.voices.analysis import analyse
from timbrespace.voices.frames import HOP, PARTIALS, RATE, count_frames
from timbrespace.voices.rendering import blocks, render

TONE = tuple(0.3 / k for k in range(1, 11))


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(sum(level * np.cos(2 * np.pi * k * hertz * time + k) for k, level in enumerate(TONE, 1) if k * hertz < RATE / 2))


@pytest.mark.parametrize("hertz", [82.4, 220.0, 440.0, 880.0, 1760.0])
def test_a_tone_has_its_pitch_and_its_partials(hertz: float) -> None:
    frames = analyse(tone(hertz))
    inside = slice(30, -30)
    assert np.abs(1200 * np.log2(frames.pitch[inside] / hertz)).max() < 3
    np.testing.assert_allclose(frames.partials[inside, :10].mean(0), TONE, rtol=0.02)
    assert frames.partials[inside, 12:].max() < 1e-3
    assert frames.noise[inside].max() < 1e-6
    assert frames.explained[inside].min() > 0.999


def test_a_high_tone_is_no_octave_too_low() -> None:
    """A period between two samples: a multiple of it is nearer to a whole number of samples."""
    for hertz in np.linspace(1_100, 2_300, 25):
        pitch = analyse(0.3 * np.cos(2 * np.pi * hertz * np.arange(8_000) / RATE)).pitch[8:-8]
        assert np.abs(1200 * np.log2(pitch / hertz)).max() < 20


def test_white_noise_has_no_pitch_and_its_variance(rng: np.random.Generator) -> None:
    frames = analyse(0.1 * rng.standard_normal(RATE))
    assert frames.pitched.mean() < 0.02
    np.testing.assert_allclose(frames.noise[10:-10].mean(0)[4:], 0.01, rtol=0.25)


@pytest.mark.parametrize("hertz", [60.0, 100.0, 500.0, 997.0, 3_000.0, 9_000.0])
def test_loudness_is_that_of_a_meter(hertz: float) -> None:
    """ITU-R BS.1770: the mean square of the tone behind both filters, run over samples at 48 kHz. 997 Hz at full scale: -3.01 LUFS."""
    from scipy.signal import lfilter

    sound = 0.5 * np.cos(2 * np.pi * hertz * np.arange(48_000) / 48_000)
    shelf = lfilter([1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], sound)
    passed = lfilter([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621], shelf)
    expected = -0.691 + 10 * np.log10(np.mean(np.square(passed[9_600:])))
    if hertz == 997.0:
        assert expected == pytest.approx(-3.01 - 6.02, abs=0.01)
    frames = analyse(0.5 * np.cos(2 * np.pi * hertz * np.arange(RATE) / RATE))
    assert frames.loudness()[30:-30].mean() == pytest.approx(expected, abs=0.2)


def test_a_tone_with_a_loud_octave_keeps_its_octave() -> None:
    """As a violin's at low notes: the second partial is 17 dB over the others."""
    time = np.arange(RATE) / RATE
    for hertz in (200.0, 263.1, 391.7):
        sound = sum(level * np.cos(2 * np.pi * k * hertz * time + k) for k, level in enumerate((0.056, 0.4, 0.056, 0.056, 0.03), 1))
        pitch = analyse(np.asarray(sound)).pitch[20:-20]
        assert np.abs(1200 * np.log2(pitch / hertz)).max() < 20


@pytest.mark.parametrize(("one", "other"), [(300.0, 400.0), (400.0, 500.0), (300.0, 500.0)])
def test_a_tone_that_rings_on_makes_no_low_one(one: float, other: float) -> None:
    """A tone and a softer one before it repeat after the period of 100 Hz, which has neither first nor second partial."""
    time = np.arange(RATE) / RATE
    sound = sum(level * np.cos(2 * np.pi * k * hertz * time + k) / k for hertz, level in ((one, 0.1), (other, 0.045)) for k in range(1, 6))
    pitch = analyse(np.asarray(sound)).pitch[20:-20]
    assert (np.abs(pitch - 100) < 5).mean() < 0.05


def test_a_short_fall_of_the_pitch_is_no_note() -> None:
    """Between two notes, unsure, and far under both; a low note that lasts, and one that is sure, stay."""
    from timbrespace.voices.analysis import _without_dips

    pitch = np.repeat([700.0, 63.5, 830.0, 100.0, 830.0, 0.0, 80.0, 0.0], [40, 8, 40, 60, 40, 9, 8, 9])
    periodicity = np.full(len(pitch), 0.8)
    found = _without_dips(pitch, periodicity)
    np.testing.assert_array_equal(found[40:48], np.repeat([700.0, 830.0], 4))
    np.testing.assert_array_equal(found[48:], pitch[48:])
    np.testing.assert_array_equal(_without_dips(pitch, np.full(len(pitch), 0.99)), pitch)


def test_the_level_of_a_low_tone_is_not_smeared_by_the_window() -> None:
    """Eight times a second a tone of 90 Hz falls to a ninth: a window of 93 ms would fill that up."""
    time = np.arange(RATE) / RATE
    loudness = analyse((1 + 0.8 * np.cos(2 * np.pi * 8 * time)) * tone(90.0)).loudness()
    softest, loudest = (np.round((np.arange(2, 6) + part) / 8 * RATE / HOP).astype(int) for part in (0.5, 0.0))
    assert loudness[loudest].mean() - loudness[softest].mean() == pytest.approx(20 * np.log10(9), abs=2.5)


def test_two_tones_that_are_no_partials_of_each_other_are_noticed() -> None:
    chord = tone(220.0, 1.5) + tone(311.1, 1.5) + tone(415.3, 1.5)
    frames = analyse(chord)
    inside = slice(60, -60)
    weak = (frames.periodicity[inside] < 0.9) | (frames.explained[inside] < 0.93)
    assert weak.mean() > 0.9


@pytest.mark.parametrize("samples", [0, 1, 5, HOP - 1, HOP, HOP + 1, 5_000])
def test_any_length(samples: int) -> None:
    frames = analyse(np.zeros(samples))
    assert len(frames) == count_frames(samples)
    assert not frames.pitched.any()
    assert render(frames, samples).shape == (samples,)
    assert np.abs(render(frames, samples)).max(initial=0.0) < 1e-6


def test_rendering_gives_the_same_levels_again() -> None:
    frames = analyse(melody(TONE))
    again = analyse(render(frames, round(8 * 0.8 * RATE)).astype(np.float64))
    heard = frames.loudness() > -50
    assert np.abs(again.loudness() - frames.loudness())[heard].mean() < 0.3
    both = heard & frames.pitched & again.pitched
    assert both.sum() > 0.95 * heard.sum()
    assert np.median(np.abs(1200 * np.log2(again.pitch[both] / frames.pitch[both]))) < 1


def test_blocks_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partials do not depend on where blocks begin; neither does noise at the borders, which has the level of the rest."""
    from timbrespace.voices import rendering

    frames = analyse(melody(TONE))
    samples = round(8 * 0.8 * RATE)
    quiet = frames.scaled(np.ones(len(frames)))
    quiet.noise[:] = 0
    whole = render(quiet, samples)
    monkeypatch.setattr(rendering, "BLOCK", 64)
    np.testing.assert_allclose(render(quiet, samples), whole, atol=1e-6)
    assert sum(len(block) for _, block in blocks(quiet, samples)) == samples


def test_noise_has_one_level_over_the_borders_of_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    from timbrespace.voices import rendering

    monkeypatch.setattr(rendering, "BLOCK", 16)
    frames = analyse(0.1 * rng.standard_normal(4 * RATE))
    made = render(frames, 4 * RATE, seed=3)
    length = 16 * HOP
    borders = np.concatenate([made[at - 200 : at + 200] for at in range(length, len(made) - length, length)])
    assert borders.std() == pytest.approx(made[length:-length].std(), rel=0.05)
    assert not np.array_equal(render(frames, 4 * RATE, seed=4), made)
    np.testing.assert_array_equal(render(frames, 4 * RATE, seed=3), made)


def test_frames_between_frames() -> None:
    frames = analyse(tone(220.0))
    twice = frames.at(np.arange(2 * len(frames)) / 2)
    np.testing.assert_allclose(twice.pitch[::2], frames.pitch)
    np.testing.assert_allclose(twice.partials[::2], frames.partials)
    assert twice.partials.shape == (2 * len(frames), PARTIALS)
