"""The clip of a sound with a DC offset is the clip of the sound without it."""

from __future__ import annotations

import numpy as np
import pytest

from timbrespace.audio.offset import dc_offset, remove_offset
from timbrespace.audio.trim import SILENT_PEAK, bounds
from timbrespace.corpus.sources import ClipFormat, extract_clips

RATE = 44_100


def hat(seconds: float = 0.4) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return 0.6 * np.random.default_rng(1).standard_normal(len(t)) * np.exp(-t * 28) / 3


def kick() -> np.ndarray:
    """Asymmetric, with a mean, and falling to 45 Hz."""
    t = np.arange(round(0.6 * RATE)) / RATE
    wave = np.sin(2 * np.pi * (45 * t + 8 * (1 - np.exp(-t * 30))))
    return 0.8 * np.where(wave > 0, wave, 0.5 * wave) * np.exp(-t * 14)


def sub() -> np.ndarray:
    t = np.arange(2 * RATE) / RATE
    return 0.7 * np.sin(2 * np.pi * 20 * t) * np.exp(-t * 5)


def click() -> np.ndarray:
    return np.array([0.5])


def short() -> np.ndarray:
    return hat(0.4)[: round(0.012 * RATE)]


def rectified() -> np.ndarray:
    t = np.arange(RATE) / RATE
    return 0.5 * np.abs(np.sin(2 * np.pi * 110 * t)) * np.exp(-t * 12)


SOUNDS = (hat, kick, sub, click, short, rectified)


def in_file(sound: np.ndarray, lead: float = 0.1, tail: float = 2.0) -> np.ndarray:
    """The sound `(time,)` with silence around it, in s."""
    return np.concatenate([np.zeros(round(lead * RATE)), sound, np.zeros(round(tail * RATE))])


def as_16_bit(sound: np.ndarray) -> np.ndarray:
    return np.round(sound * 32767) / 32767


def clips_of(audio: np.ndarray, rate: int = RATE) -> list:
    return extract_clips(
        np.atleast_2d(audio).astype(np.float32), rate, ClipFormat(RATE, len(np.atleast_2d(audio)), "keep", 2.0), compare=False
    )


def assert_same_clip(audio: np.ndarray, clean: np.ndarray, *, atol: float = 2e-4, rate: int = RATE) -> None:
    (found,), (expected,) = clips_of(audio, rate), clips_of(clean, rate)
    shift = round((found.start_s - expected.start_s) * RATE)
    assert abs(shift) <= 44
    assert abs(found.audio.shape[1] - expected.audio.shape[1]) <= 44
    start, length = max(0, -shift), min(found.audio.shape[1] - max(0, -shift), expected.audio.shape[1] - max(0, shift)) - 300
    if length > 0:
        first = found.audio[:, start + 60 : start + length]
        second = expected.audio[:, start + shift + 60 : start + shift + length]
        assert np.allclose(first, second, atol=atol)


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("offset", [0.0003, -0.001, 0.004, 0.05])
@pytest.mark.parametrize("lead", [0.0, 0.1])
def test_a_constant_offset_changes_no_clip(sound, offset, lead):
    clean = as_16_bit(in_file(sound(), lead))
    assert_same_clip(clean + offset, clean)
    assert dc_offset((clean + offset)[None].astype(np.float32), RATE)[0] == pytest.approx(offset, abs=5e-6)


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_sound_without_an_offset_is_not_changed(sound):
    for tail in (0.0, 0.03, 1.0):
        audio = as_16_bit(in_file(sound(), 0.1, tail))[None].astype(np.float32)
        assert remove_offset(audio, RATE) is audio


@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
def test_an_offset_is_removed_before_the_rate_changes(rate):
    clean = in_file(hat(), 0.0)
    assert_same_clip(clean + 0.004, clean, rate=rate)


@pytest.mark.parametrize("sound", [hat, kick, sub, rectified])
def test_steps_of_the_offset_are_no_sound(sound):
    clean = in_file(sound(), 0.1, 1.0)
    for before, after in ((0.0, 0.0), (0.003, -0.002), (0.0, 0.003)):
        padded = np.concatenate([np.full(RATE // 5, before), clean + 0.003, np.full(RATE // 2, after)])
        reference = np.concatenate([np.zeros(RATE // 5), clean, np.zeros(RATE // 2)])
        assert_same_clip(padded, reference)


@pytest.mark.parametrize("sound", [hat, kick, sub, rectified])
@pytest.mark.parametrize("samples", [1, 40, 500])
def test_a_few_samples_of_padding_are_no_sound(sound, samples):
    clean = in_file(sound(), 0.1, 0.5)
    assert_same_clip(np.concatenate([clean + 0.002, np.zeros(samples)]), np.concatenate([clean, np.zeros(samples)]))
    assert_same_clip(np.concatenate([np.zeros(samples), clean + 0.002]), np.concatenate([np.zeros(samples), clean]))


@pytest.mark.parametrize("sound", [hat, kick, sub])
def test_a_linear_drift_is_removed(sound):
    clean = in_file(sound(), 0.3)
    assert_same_clip(clean + np.linspace(0.001, 0.006, len(clean)), clean, atol=4e-4)


def test_quiet_sounds_are_judged_by_their_own_peak():
    clean = 0.001 / 0.6 * in_file(hat())
    assert_same_clip(clean + 0.001, clean, atol=1e-3)
    assert_same_clip(clean + 0.00003, clean, atol=1e-3)


def test_channels_have_their_own_offsets():
    clean = np.stack([in_file(hat()), 0.5 * in_file(hat())])
    assert_same_clip(clean + [[0.004], [-0.001]], clean)


def test_an_offset_under_a_noise_floor_or_a_hum_is_removed():
    t = np.arange(round(2.5 * RATE)) / RATE
    for noise in (1e-3 * np.random.default_rng(3).standard_normal(len(t)), 1e-3 * np.sin(2 * np.pi * 50 * t)):
        clean = in_file(hat()) + noise
        assert_same_clip(clean + 0.004, clean)
        audio = clean[None].astype(np.float32)
        assert remove_offset(audio, RATE) is audio


def test_a_file_of_an_offset_alone_is_silent():
    assert clips_of(np.full(RATE, 0.004)) == []
    assert np.abs(remove_offset(np.full((1, RATE), 0.004, np.float32), RATE)).max() < SILENT_PEAK


def test_a_slow_recovery_after_the_sound_is_no_offset():
    clean = in_file(hat(), 0.0, 0.0)
    recovery = 0.05 * np.exp(-np.arange(len(clean) + RATE) / (0.3 * RATE))
    audio = (np.pad(clean, (0, RATE)) + recovery)[None].astype(np.float32)
    assert np.abs(remove_offset(audio, RATE) - audio).max() < 1e-4
    assert bounds(remove_offset(audio, RATE), RATE)[1] == bounds(audio, RATE)[1]
