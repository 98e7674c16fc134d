"""The tonal synthesiser: exact pitches, velocity heard as brightness, nothing mirrored from above half the rate, clean ends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from timbrespace.audio.descriptors import spectral_centroid
from timbrespace.audio.pitch import estimate_pitch
from timbrespace.contracts import ConfigError
from timbrespace.corpus.labels.names import pitch_and_velocity
from timbrespace.corpus.synthetic.base import SyntheticClip
from timbrespace.corpus.synthetic.registry import recipe_of, synthetic_clips
from timbrespace.corpus.synthetic.sampler import ParameterSampler
from timbrespace.corpus.synthetic.tonal import FAMILIES, INSTRUMENTS, note
from timbrespace.corpus.synthetic.tonal_parts import TOP_HZ, body, damped, finish, harmonics, rolled_off, vibrato

RATE = 44_100


@pytest.fixture(scope="module")
def notes() -> list[SyntheticClip]:
    return list(synthetic_clips("notes", count=80, seed=1))


def hertz_of(clip: SyntheticClip) -> float:
    assert clip.pitch is not None
    return float(440 * 2 ** ((clip.pitch - 69) / 12))


def power(clip: SyntheticClip, rate: int = RATE) -> np.ndarray:
    """Power spectrum in steps of 1 Hz."""
    audio = clip.audio[0].double().numpy()
    return np.abs(np.fft.rfft(audio * np.blackman(audio.size), n=2 * rate)[::2] * 2 / audio.size) ** 2


def test_fields_names_and_labels(notes: list[SyntheticClip]) -> None:
    assert not recipe_of("notes").as_is
    assert not recipe_of("notes").fixed
    assert Counter(clip.category for clip in notes) == dict.fromkeys(FAMILIES, 20)
    assert {clip.instrument for clip in notes} == {instrument for family in INSTRUMENTS.values() for instrument in family}
    assert len({clip.name for clip in notes}) == len(notes)
    for clip in notes:
        assert clip.name.startswith(f"{clip.category}/{clip.instrument}-")
        assert pitch_and_velocity(clip.name.rpartition("/")[2]) == (clip.pitch, clip.velocity)
        assert clip.category is not None
        assert clip.instrument is not None
        low, high, *_ = INSTRUMENTS[clip.category][clip.instrument]
        assert low <= (clip.pitch or 0) <= high
        assert 1 <= (clip.velocity or 0) <= 127
        assert len(clip.labels) >= 8
        assert clip.labels["seconds"] == pytest.approx(clip.audio.shape[1] / RATE, abs=1e-3)
    assert len({clip.pitch for clip in notes}) > 25


def test_every_note_is_clean_audio_with_natural_ends(notes: list[SyntheticClip]) -> None:
    for clip in notes:
        audio = clip.audio
        assert audio.dtype == torch.float32
        assert audio.shape[0] == 1
        assert 0.2999 <= audio.shape[1] / RATE <= 2.0001, clip.name
        assert torch.isfinite(audio).all()
        assert audio.abs().max() == pytest.approx(10 ** (-1 / 20), abs=1e-5)
        assert audio[0, :2].abs().max() < 1e-3, clip.name
        assert audio[0, -44:].abs().max() < 1e-4, clip.name  # the last millisecond, -80 dB
        assert abs(float(audio.mean())) < 1e-3, clip.name


def test_pitch_is_the_label(notes: list[SyntheticClip]) -> None:
    wrong = []
    clips = [clip for clip in notes if clip.category != "bell"]
    assert len(clips) == 60
    for clip in clips:
        heard, _ = estimate_pitch(clip.audio[0], RATE)
        cents = None if heard is None else 1200 * np.log2(heard / hertz_of(clip))
        if cents is None or abs(cents) > 15:
            wrong.append((clip.name, cents))
    assert len(wrong) <= 1, wrong


def test_bells_have_partials_around_the_label(notes: list[SyntheticClip]) -> None:
    """A handbell's and a glass's at the pitch, a chime's an octave above, where its ear-made note comes from."""
    for clip in notes:
        if clip.category == "bell":
            spectrum = power(clip)
            at = hertz_of(clip) * (2 if clip.instrument == "chime" else 1)
            near = spectrum[int(at - 6) : int(at + 7)]
            assert 10 * np.log10(near.max() / spectrum.max()) > -20, clip.name
            assert abs(int(at - 6) + np.argmax(near) - at) < 3.5, clip.name


@pytest.mark.parametrize("family", list(FAMILIES))
def test_harder_is_brighter(family: str) -> None:
    place = list(FAMILIES).index(family)
    bright = []
    for k in range(5):
        played = (note(place + 4 * k, seed=3, velocity=velocity) for velocity in (15, 65, 120))
        bright.append([float(spectral_centroid(clip.audio[0], RATE)) for clip in played])
    steps = np.diff(np.log2(bright), axis=1)
    assert (steps.mean(axis=0) > 0.1).all(), steps  # octaves
    assert (steps > -0.05).all(), steps


@pytest.mark.parametrize("family", list(FAMILIES))
def test_nothing_is_mirrored_from_above_half_the_rate(family: str) -> None:
    """At 16 kHz a note has the partials it has at 48 kHz, as far as they go, and no others."""
    place = list(FAMILIES).index(family)
    for k in range(3):
        low, high = (note(place + 4 * k, seed=6, velocity=120, sample_rate=rate) for rate in (16_000, 48_000))
        assert {**low.labels, "seconds": 0} == {**high.labels, "seconds": 0}
        few, many = power(low, 16_000)[60:6500], power(high, 48_000)[60:6500]
        few, many = few / few.max(), many / many.max()
        strong = many > 1e-3  # lines: noise differs between rates, and lies under them
        assert np.abs(10 * np.log10(few[strong] / many[strong])).max() < 6, low.name
        around = np.array([many[max(0, i - 8) : i + 9].max() for i in range(many.size)])
        extra = few > 1e-3
        assert (around[extra] > 2e-4).all(), low.name


def test_no_partial_above_the_top_at_any_rate() -> None:
    for k in (0, 1, 2, 3):
        spectrum = power(note(k, seed=6, velocity=127, sample_rate=96_000), 96_000)
        assert 10 * np.log10(spectrum[int(TOP_HZ) + 200 :].max() / spectrum.max()) < -50  # noise alone


def test_same_seed_same_notes_whatever_the_count() -> None:
    few = list(synthetic_clips("synthetic:notes", count=5, seed=9))
    for index, clip in enumerate(few):
        again = note(index, seed=9)
        assert torch.equal(again.audio, clip.audio)
        assert (again.name, again.labels) == (clip.name, clip.labels)
        assert not torch.equal(note(index, seed=10).audio[:, :9000], clip.audio[:, :9000])


def test_the_same_instrument_played_otherwise() -> None:
    drawn, other = note(2, seed=1), note(2, seed=1, pitch=70, velocity=33)
    assert (other.pitch, other.velocity) == (70.0, 33)
    assert other.name.endswith("_070_033")
    assert drawn.labels == other.labels
    for wrong in ({"pitch": 3}, {"velocity": 0}, {"velocity": 128}, {"velocity": 64.5}, {"pitch": True}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            note(0, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("pitch", [24, 108])
def test_pitches_beyond_the_ranges_stay_clean(pitch: int) -> None:
    for index in range(4):
        for rate in (8000, 44_100):
            audio = note(index, pitch=pitch, velocity=127, sample_rate=rate).audio
            assert torch.isfinite(audio).all()
            assert audio.abs().max() == pytest.approx(10 ** (-1 / 20), abs=1e-5)


def test_building_blocks() -> None:
    sampler = ParameterSampler(np.random.default_rng(1), np.random.default_rng(2), RATE)
    time = sampler.time(0.5)
    wave = harmonics(sampler, np.full(time.size, 1000.0), lambda n, f, t: 1 / n * (n < 4) + 0 * f, phases=lambda n: 0 * n)
    expected = sum(np.sin(2 * np.pi * 1000 * n * time) / n for n in (1, 2, 3))
    assert np.allclose(wave, expected, atol=1e-9)
    ratio = vibrato(sampler, time, cents=20, rate_hz=5, onset=0.1)
    assert np.abs(1200 * np.log2(ratio[time < 0.1])).max() <= 1.5
    assert np.abs(1200 * np.log2(ratio)).max() <= 21.5
    assert np.ptp(20 * np.log10(body(sampler, low=200, high=4000, count=10, height=10.0)(np.geomspace(50, 15_000, 300)))) > 4
    assert rolled_off(1000.0, 1000.0, octave_db=12.04) == pytest.approx(0.5)
    release = damped(time, seconds=0.4, release=0.1)
    assert release[time < 0.3].min() == 1.0
    assert not release[time >= 0.4].any()
    assert np.abs(np.diff(release)).max() < 1e-3
    assert finish(np.ones(10), RATE).size == round(0.3 * RATE)
    assert finish(np.ones(5 * RATE), RATE).size == 2 * RATE
