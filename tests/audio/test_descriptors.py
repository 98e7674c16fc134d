"""Descriptors of sounds whose truth is known."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from timbrespace.audio import descriptors as d
from timbrespace.audio.pitch import estimate_pitch, hz_to_midi, midi_to_hz, note_name
from timbrespace.contracts import ConfigError, ShapeError

RATE = 44100


def sine(hz: float, seconds: float = 1.0, rate: int = RATE) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(round(seconds * rate), dtype=torch.float64) / rate).float()


def cents(found: float, wanted: float) -> float:
    return abs(1200 * math.log2(found / wanted))


def test_brightness_of_one_and_of_two_tones():
    assert float(d.spectral_centroid(sine(1000), RATE)) == pytest.approx(1000, rel=0.02)
    assert float(d.spectral_centroid(sine(1000) + sine(3000), RATE)) == pytest.approx(2000, rel=0.02)
    assert float(d.spectral_centroid(torch.zeros(100), RATE)) == 0


def test_flatness_of_noise_tone_and_silence():
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(1))
    assert float(d.spectral_flatness(noise)) > 0.95
    assert float(d.spectral_flatness(sine(1000))) < 0.01
    assert float(d.spectral_flatness(torch.zeros(10))) == 0


@pytest.mark.parametrize("rise", [0.02, 0.1])
def test_attack_of_a_straight_rise(rise):
    ramp = (torch.arange(RATE) / (rise * RATE)).clamp_max(1.0)
    assert float(d.attack_time(ramp * sine(2000), RATE)) == pytest.approx(0.8 * rise, abs=0.001)


def test_attack_does_not_hear_delay_or_level():
    sound = (torch.arange(RATE) / (0.03 * RATE)).clamp_max(1.0) * sine(2000)
    late = torch.cat([torch.zeros(5000), 0.1 * sound])
    assert float(d.attack_time(late, RATE)) == pytest.approx(float(d.attack_time(sound, RATE)), abs=3e-4)


@pytest.mark.parametrize("t60", [0.05, 0.4, 3.0])
def test_decay_of_an_exponential_even_when_cut(t60):
    seconds = max(0.2, 0.8 * t60)  # the longest is cut at 48 dB
    t = torch.arange(round(seconds * RATE)) / RATE
    sound = 10 ** (-3 * t / t60) * torch.randn(len(t), generator=torch.Generator().manual_seed(2))
    assert float(d.decay_time(sound, RATE)) == pytest.approx(t60, rel=0.06)


def test_decay_hears_a_noisy_tail():
    t = torch.arange(RATE) / RATE
    clean = 10 ** (-3 * t / 0.1) * sine(300)
    tail = clean + 0.01 * torch.randn(RATE, generator=torch.Generator().manual_seed(3))
    assert float(d.decay_time(tail, RATE)) > 3 * float(d.decay_time(clean, RATE))


def test_batches_equal_single_sounds_and_short_ones_are_finite():
    sounds = torch.stack([sine(200, 0.2), torch.zeros(8820), torch.nn.functional.pad(torch.ones(1), (0, 8819))])
    timed = (d.attack_time, d.decay_time, d.spectral_centroid)
    for function in (*(partial(f, sample_rate=RATE) for f in timed), d.spectral_flatness):
        batch = function(sounds)
        assert torch.isfinite(batch).all()
        assert torch.allclose(batch, torch.stack([function(sound) for sound in sounds]), atol=1e-5)
        assert math.isfinite(float(function(torch.ones(1))))
    assert float(d.decay_time(torch.zeros(1), RATE)) == 0


@pytest.mark.parametrize("hz", [41.2, 110.0, 440.0, 987.8, 2093.0])
def test_pitch_of_tones(hz):
    found, confidence = estimate_pitch(sine(hz, 0.5), RATE)
    assert cents(found, hz) < 5
    assert confidence > 0.9


def test_pitch_of_a_plucked_string_and_of_a_missing_fundamental():
    rng = np.random.default_rng(0)
    period = 200
    string = np.concatenate([rng.uniform(-1, 1, period), np.zeros(RATE - period)])
    for n in range(period + 1, RATE):  # the two-point average delays by half a sample
        string[n] += 0.498 * (string[n - period] + string[n - period - 1])
    found, _ = estimate_pitch(string, RATE)
    assert cents(found, RATE / (period + 0.5)) < 15
    found, _ = estimate_pitch(sine(600) + sine(800) + sine(1000), RATE)
    assert cents(found, 200) < 10


def test_pitch_at_another_rate():
    assert cents(estimate_pitch(sine(330, rate=16000), 16000)[0], 330) < 5


@pytest.mark.parametrize("seed", range(4))
def test_noise_silence_and_clicks_have_no_pitch(seed):
    noise = torch.randn(RATE // 2, generator=torch.Generator().manual_seed(seed))
    assert estimate_pitch(noise, RATE)[0] is None
    assert estimate_pitch(noise * torch.exp(-torch.arange(RATE // 2) / 2000), RATE)[0] is None
    assert estimate_pitch(torch.zeros(RATE), RATE) == (None, 0.0)
    assert estimate_pitch(torch.ones(1), RATE) == (None, 0.0)


def test_pitch_refuses_batches_and_impossible_ranges():
    with pytest.raises(ShapeError, match="mono"):
        estimate_pitch(torch.zeros(2, 100), RATE)
    with pytest.raises(ConfigError, match="range"):
        estimate_pitch(torch.zeros(100), 8000)


def test_hz_and_midi_numbers_convert_into_each_other():
    assert [midi_to_hz(number) for number in (69, 57, 81)] == [440.0, 220.0, 880.0]
    assert torch.equal(midi_to_hz(torch.tensor([69.0, 81.0])), torch.tensor([440.0, 880.0]))
    assert hz_to_midi(midi_to_hz(60.3)) == pytest.approx(60.3)


def test_note_names():
    assert [note_name(n) for n in (60, 69, 21, 61.4, -1)] == ["C4", "A4", "A0", "C#4", "B-2"]
    assert note_name(440.0, hz=True) == "A4"
    assert note_name(261.63, hz=True) == "C4"
    with pytest.raises(ConfigError):
        note_name(0.0, hz=True)
