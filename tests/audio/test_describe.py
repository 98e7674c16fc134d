"""Descriptors by name, of sounds whose truth is known in closed form."""

import math

import pytest
import torch

from timbrespace.audio.describe import DESCRIPTORS, NAMES, describe, describe_all
from timbrespace.contracts import ConfigError, ShapeError

RATE = 44_100


def time(seconds: float, rate: int = RATE) -> torch.Tensor:
    return torch.arange(round(seconds * rate), dtype=torch.float64) / rate


def sine(hz: float, seconds: float = 1.0, rate: int = RATE) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * time(seconds, rate)).float()


def noise(seconds: float = 1.0, seed: int = 1) -> torch.Tensor:
    return torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(seed)) / 4


def values(audio: torch.Tensor, rate: int = RATE) -> dict[str, float]:
    found = describe(audio, rate)
    return {name: DESCRIPTORS[name].from_scale(float(place)) for name, place in zip(NAMES, found, strict=True)}


def test_a_tone_has_its_frequency_as_pitch_and_brightness():
    found = values(sine(440))
    assert found["pitch"] == pytest.approx(440, rel=0.003)
    assert found["brightness"] == pytest.approx(440, rel=0.02)
    assert found["length"] == pytest.approx(1.0, abs=0.004)
    assert found["noisiness"] < 1e-3
    assert found["low_end"] == pytest.approx(-60, abs=35)  # the leakage of an abrupt end


def test_the_loudness_of_a_full_scale_tone_is_that_of_the_standard():
    assert values(sine(997))["loudness"] == pytest.approx(-3.01, abs=0.03)  # ITU-R BS.1770


def test_noise_has_no_pitch_and_is_noisy():
    found = values(noise())
    assert math.isnan(found["pitch"])
    assert math.isnan(found["inharmonicity"])
    assert found["noisiness"] > 0.9
    assert found["brightness"] == pytest.approx(RATE / 4, rel=0.03)
    assert found["low_end"] == pytest.approx(10 * math.log10(150 / (RATE / 2)), abs=1.0)


def test_what_is_inaudible_does_not_make_a_sound_noisier():
    """Noise without highs, or with highs that are 80 dB weaker: to the limit of the samples their flatness differs by octaves."""
    spectrum = torch.fft.rfft(noise())
    spectrum[..., spectrum.shape[-1] // 2 :] = 0
    dull = torch.fft.irfft(spectrum, n=noise().shape[-1])
    silent, faint = values(dull), values(dull + 1e-4 * noise(seed=2))
    assert math.log2(faint["noisiness"]) == pytest.approx(math.log2(silent["noisiness"]), abs=0.3)


@pytest.mark.parametrize("t60", [0.1, 0.5, 2.0])
def test_decay_and_length_of_an_exponential_are_its_decay_time(t60):
    t = time(1.5 * t60)
    found = values((10 ** (-3 * t / t60)).float() * sine(1000, 1.5 * t60))
    assert found["decay"] == pytest.approx(t60, rel=0.03)
    assert found["length"] == pytest.approx(t60, rel=0.03)


@pytest.mark.parametrize("rise", [0.02, 0.1])
def test_attack_of_a_straight_rise(rise):
    found = values((time(1.0) / rise).clamp_max(1.0).float() * sine(2000))
    assert found["attack"] == pytest.approx(0.8 * rise, abs=0.001)


@pytest.mark.parametrize("cents", [0, 20, 60])
def test_a_second_partial_out_of_tune(cents):
    """Two partials of one strength: the first is in tune by definition, the second off by its distance: half of it on average."""
    second = 880 * 2 ** (cents / 1200)
    found = values(sine(440) + sine(second))
    wanted = 100 * abs(second - 880) / 440 / 2
    assert found["inharmonicity"] == pytest.approx(max(wanted, DESCRIPTORS["inharmonicity"].low), abs=0.05)


def test_a_stretched_string_is_less_harmonic_than_a_straight_one():
    def string(stiffness: float) -> torch.Tensor:
        partials = [sine(220 * k * math.sqrt(1 + stiffness * k * k)) / k for k in range(1, 9)]
        return torch.stack(partials).sum(0)

    stretched, straight = values(string(0.0008))["inharmonicity"], values(string(0.0))["inharmonicity"]
    energy = [1 / k**2 for k in range(1, 9)]
    first = math.sqrt(1 + 0.0008)
    off = [abs(k * math.sqrt(1 + 0.0008 * k * k) / first - k) for k in range(1, 9)]
    assert stretched == pytest.approx(100 * sum(e * d for e, d in zip(energy, off, strict=True)) / sum(energy), rel=0.1)
    assert straight < 0.1


def test_low_end_of_two_tones():
    found = values(sine(60, 2.0) + sine(2000, 2.0))
    assert found["low_end"] == pytest.approx(-3.01, abs=0.1)


def test_nothing_depends_on_level_nor_on_silence_around():
    sound = (10 ** (-3 * time(0.5) / 0.4)).float() * (sine(300, 0.5) + 0.3 * noise(0.5))
    padded = torch.cat([torch.zeros(4000), 0.05 * sound, torch.zeros(RATE)])
    assert torch.allclose(describe(padded, RATE), describe(sound, RATE), atol=0.02, equal_nan=True)


def test_two_channels_are_mixed_and_other_rates_give_the_same():
    assert torch.equal(describe(torch.stack([sine(440), sine(440)]), RATE), describe(sine(440), RATE))
    half = describe(sine(440, rate=22_050), 22_050, only=("pitch", "brightness", "length"))
    full = describe(sine(440), RATE, only=("pitch", "brightness", "length"))
    assert torch.allclose(half, full, atol=0.03, equal_nan=True)


def test_only_some_are_measured_as_together():
    sound = noise(0.3)
    whole = describe(sound, RATE)
    for place, name in enumerate(NAMES):
        alone = describe(sound, RATE, only=(name,))
        assert torch.equal(alone[place], whole[place]) or bool(alone[place].isnan() & whole[place].isnan())
        assert bool(alone[[k for k in range(len(NAMES)) if k != place]].isnan().all())


def test_many_are_described_as_one_by_one():
    sounds = [sine(440, 0.2), noise(0.1), torch.zeros(100), torch.ones(1)]
    together = describe_all(sounds, RATE)
    assert torch.allclose(together, torch.stack([describe(sound, RATE) for sound in sounds]), equal_nan=True)
    assert bool(together[2].isnan().all())
    assert bool(together[3, NAMES.index("length")].isfinite())
    assert describe_all([], RATE).shape == (0, len(NAMES))


def test_scales_are_inverted_and_hold_their_ends():
    for descriptor in DESCRIPTORS.values():
        middle = (descriptor.low * descriptor.high) ** 0.5 if descriptor.logarithmic else (descriptor.low + descriptor.high) / 2
        assert descriptor.from_scale(descriptor.to_scale(middle)) == pytest.approx(middle)
        assert descriptor.to_scale(descriptor.high * 10 + 100) == descriptor.to_scale(descriptor.high)
        assert math.isnan(descriptor.to_scale(math.nan))


def test_words_are_each_used_once():
    words = [word for descriptor in DESCRIPTORS.values() for word in (descriptor.more, descriptor.less)]
    assert len(set(words)) == len(words)


def test_what_is_no_sound_is_refused():
    with pytest.raises(ShapeError, match="floating point"):
        describe(torch.zeros(2, 3, 4), RATE)
    with pytest.raises(ShapeError, match="NaN"):
        describe(torch.full((10,), math.nan), RATE)
    with pytest.raises(ConfigError, match="not known"):
        describe(noise(0.1), RATE, only=("warmth",))
    with pytest.raises(ConfigError, match="sample_rate"):
        describe(noise(0.1), 100)
