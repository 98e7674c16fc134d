"""Modulations are scaled, removed, sped up, added and moved; nothing else of a sound changes."""

from __future__ import annotations

import numpy as np
import pytest
from modulated_tones import RATE, Wave, tone

from timbrespace.contracts import ConfigError
from timbrespace.modulation.change import Changed, Donor, change, donor_of
from timbrespace.modulation.courses import courses
from timbrespace.modulation.measuring import Modulation, measure_audio, split
from timbrespace.modulation.options import read_wish
from timbrespace.modulation.warp import read_at

BOTH = {"vibrato": 30.0, "tremolo": 2.0, "tremolo_rate": 6.5}


def changed(
    sound: Wave, vibrato: float | str | None = None, tremolo: float | str | None = None, *,
    rates: tuple[str | None, str | None] = (None, None), donor: Donor | None = None,
) -> Changed:  # fmt: skip
    return change(sound, RATE, read_wish("vibrato", vibrato, rates[0]), read_wish("tremolo", tremolo, rates[1]), donor)


def both(sound: Wave) -> tuple[Modulation, Modulation]:
    found = measure_audio(sound, RATE)
    assert found.vibrato is not None
    assert found.tremolo is not None
    return found.vibrato, found.tremolo


def left(sound: Wave) -> tuple[float, float]:
    """The depths that are left, whether regular or not, as amplitudes of sines."""
    parts = split(sound, RATE)
    return parts.all_pitch[0].depth, parts.all_level[0].depth


def test_factors_of_one_give_the_sound_itself() -> None:
    sound = tone(**BOTH)
    assert np.array_equal(changed(sound, 1, 1).audio, sound)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_depths_are_scaled(factor: float) -> None:
    result = changed(tone(**BOTH), factor, factor)
    vibrato, tremolo = both(result.audio)
    assert (result.vibrato, result.tremolo) == (1, 1)
    assert vibrato.depth == pytest.approx(30 * factor, rel=0.05)
    assert tremolo.depth == pytest.approx(2 * factor, rel=0.05)
    assert vibrato.rate == pytest.approx(5.5, rel=0.01)


def test_removing_leaves_less_than_a_tenth() -> None:
    vibrato, tremolo = left(changed(tone(**BOTH), 0, 0).audio)
    assert vibrato < 3.0
    assert tremolo < 0.2


def test_pitch_and_length_do_not_drift() -> None:
    sound = tone(**BOTH)
    result = changed(sound, 2, 2).audio
    assert result.shape == sound.shape
    before, after = (courses(one, RATE) for one in (sound, result))
    first, last = before.tones[0]
    inside = slice(first + 3, last - 3)
    assert abs(float(before.pitch[inside].mean() - after.pitch[inside].mean())) < 1.5
    assert abs(float(before.level[inside].mean() - after.level[inside].mean())) < 0.15
    assert np.array_equal(result[:, :512], sound[:, :512])  # before the note is known
    assert np.array_equal(result[:, -300:], sound[:, -300:])


def test_doubled_and_halved_is_the_sound_again() -> None:
    sound = tone(**BOTH)
    again = changed(changed(sound, 2, 2).audio, 0.5, 0.5).audio
    before, after = (courses(one, RATE) for one in (sound, again))
    first, last = before.tones[0]
    assert np.sqrt(np.square(before.pitch - after.pitch)[first + 10 : last - 10].mean()) < 1.5
    assert np.sqrt(np.square(before.level - after.level)[first + 10 : last - 10].mean()) < 0.15


def test_rates_change_and_depths_stay() -> None:
    vibrato, tremolo = both(changed(tone(seconds=3.0, **BOTH), rates=("7", "x0.7")).audio)
    assert (vibrato.rate, tremolo.rate) == (pytest.approx(7, rel=0.02), pytest.approx(6.5 * 0.7, rel=0.02))
    assert (vibrato.depth, tremolo.depth) == (pytest.approx(30, rel=0.06), pytest.approx(2, rel=0.08))


@pytest.mark.parametrize("seconds", [1.2, 5.0])
def test_a_moved_modulation_is_that_of_its_donor(seconds: float) -> None:
    """On a shorter note it is cut, on a longer one repeated."""
    given = tone(440, 2.0, vibrato=45, vibrato_rate=6.0, tremolo=3, tremolo_rate=6.0, delay=0.3)
    donor = donor_of(split(given, RATE))
    vibrato, tremolo = both(changed(tone(180, seconds), donor=donor).audio)
    assert vibrato.rate == pytest.approx(6, rel=0.02)
    assert vibrato.depth == pytest.approx(45, rel=0.06)
    assert tremolo.rate == pytest.approx(6, rel=0.03)
    assert tremolo.depth == pytest.approx(3, rel=0.1)
    assert vibrato.delay == pytest.approx(0.3, abs=0.08)


def test_a_moved_modulation_replaces_the_own_one_and_can_be_scaled() -> None:
    donor = donor_of(split(tone(440, vibrato=40, vibrato_rate=4.5), RATE))
    found = measure_audio(changed(tone(200, vibrato=20, vibrato_rate=7), 0.5, donor=donor).audio, RATE)
    assert found.vibrato is not None
    assert found.vibrato.rate == pytest.approx(4.5, rel=0.02)
    assert found.vibrato.depth == pytest.approx(20, rel=0.06)
    assert found.tremolo is None


def test_a_depth_is_reached_or_added() -> None:
    for sound in (tone(seconds=3.0), tone(seconds=3.0, **BOTH)):
        vibrato, tremolo = both(changed(sound, "50cents", "4dB").audio)
        assert vibrato.depth == pytest.approx(50, rel=0.05)
        assert tremolo.depth == pytest.approx(4, rel=0.05)


def test_a_sound_without_pitch_gets_a_tremolo_and_no_vibrato() -> None:
    noise = (0.1 * np.random.default_rng(3).standard_normal((2, 3 * RATE))).astype(np.float32)
    result = changed(noise, "50cents", "6dB")
    found = measure_audio(result.audio, RATE)
    assert (result.vibrato, result.tremolo) == (0, 1)
    assert found.tremolo is not None
    assert found.tremolo.depth == pytest.approx(6, rel=0.1)
    ratio = result.audio[0] / noise[0]
    assert np.allclose(ratio, result.audio[1] / noise[1], rtol=1e-4)  # one gain for both channels


def test_a_donor_without_modulations_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither vibrato nor tremolo"):
        donor_of(split(tone(), RATE), "plain.wav")


@pytest.mark.parametrize("depth", ["-1", "11", "nan", "30m", "700cents", "deep", ""])
def test_odd_depths_are_refused(depth: str) -> None:
    with pytest.raises(ConfigError, match="give a factor"):
        read_wish("vibrato", depth)


@pytest.mark.parametrize("rate", ["0", "x9", "20", "fast", "nan"])
def test_odd_rates_are_refused(rate: str) -> None:
    with pytest.raises(ConfigError, match="to 14 Hz"):
        read_wish("tremolo", None, rate)


def test_reading_at_places_is_exact_for_a_band_limited_sound() -> None:
    time = np.arange(4_000)
    places = 1_000 + 0.9 * np.arange(2_000) + 3 * np.sin(np.arange(2_000) / 300)
    for cycles in (0.01, 0.2, 0.4):  # of the sample rate
        wave = np.sin(2 * np.pi * cycles * time)[None].astype(np.float32)
        assert np.abs(read_at(wave, places)[0] - np.sin(2 * np.pi * cycles * places)).max() < 2e-4
    assert np.array_equal(read_at(wave, time[100:300].astype(float)), wave[:, 100:300])
