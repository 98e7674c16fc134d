"""Further errors of reconstructions against closed forms: a gain, a known noise, a lost band."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from timbrespace.audio.stft import stft
from timbrespace.contracts import ShapeError
from timbrespace.evaluation import spectral_errors as errors

RATE = 44_100


def noise(seconds: float = 1.5, *, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def low_passed(sound: Tensor, hertz: float) -> Tensor:
    spectrum = torch.fft.rfft(sound)
    spectrum[:, torch.linspace(0, RATE / 2, spectrum.shape[1]) >= hertz] = 0
    return torch.fft.irfft(spectrum, sound.shape[1])


def test_equal_sounds_have_no_error() -> None:
    sounds = [noise(0.3), noise(0.7, seed=1)]
    found = errors.further_errors(sounds, sounds, sample_rate=RATE)
    assert found.keys() == errors.FURTHER.keys()
    assert found["si_sdr_db"].tolist() == [100, 100]
    for key in ("lsd_db", "mr_stft", "stdev_percent"):
        assert found[key].tolist() == [0, 0], key


def test_distance_of_a_gain_is_the_gain() -> None:
    sound = noise()
    for decibels in (6.0, -3.0):
        moved = sound * 10 ** (decibels / 20)
        assert float(errors.log_spectral_distance([sound], [moved])[0]) == pytest.approx(abs(decibels), abs=0.01)
        # The logarithms differ by the gain in every cell, the convergence is |1 - gain|.
        expected = abs(1 - 10 ** (decibels / 20)) + abs(decibels) / 20 * math.log(10)
        assert float(errors.multi_resolution_stft([sound], [moved])[0]) == pytest.approx(expected, abs=1e-3)


def test_distance_counts_frames_within_the_sound_only() -> None:
    sound = noise(0.5)
    longer = torch.cat([sound, noise(0.5, seed=2)], 1)
    inside = float(errors.log_spectral_distance([sound], [longer])[0])
    assert inside < 1.5  # the last frames see the other sound
    assert float(errors.multi_resolution_stft([sound], [longer])[0]) == pytest.approx(1, abs=0.15)  # as much energy is missing as there is


def test_log_spectral_distance_against_its_formula() -> None:
    one, other = noise(), noise(seed=5)
    a, b = (stft(x[None], n_fft=1024, hop=256)[0, 0].abs().square() for x in (one, other))
    floor = a.max() * 1e-8
    frames = (10 * torch.log10(a.maximum(floor)) - 10 * torch.log10(b.maximum(floor))).square().mean(0).sqrt()
    centres = torch.arange(a.shape[1]) * 256 < one.shape[1]
    assert float(errors.log_spectral_distance([one], [other])[0]) == pytest.approx(float(frames[centres].mean()), rel=1e-4)


def test_si_sdr_of_orthogonal_noise_and_any_gain() -> None:
    time = torch.arange(RATE) / RATE
    sound, added = torch.sin(2 * math.pi * 100 * time)[None], 0.1 * torch.sin(2 * math.pi * 300 * time)[None]
    assert float(errors.si_sdr([sound], [sound + added])[0]) == pytest.approx(20, abs=0.01)
    assert float(errors.si_sdr([sound], [-7.0 * (sound + added)])[0]) == pytest.approx(20, abs=0.01)
    assert float(errors.si_sdr([sound], [added])[0]) < -80
    assert bool(errors.si_sdr([sound], [torch.zeros_like(sound)]).isnan().all())


def test_a_lost_band_is_found_and_named() -> None:
    sound = noise()
    change, error = errors.band_levels([sound, sound], [sound, low_passed(sound, 8_000)])
    assert change.shape == error.shape == (2, len(errors.BANDS_HZ))
    assert change[0].abs().max() < 1e-4
    names = list(errors.BANDS_HZ)
    matched = 10 * math.log10(22_050 / 8_000)  # the rest is raised by the match of the whole energy
    assert change[1, names.index("mids")] == pytest.approx(matched, abs=0.1)
    for name in ("treble", "air"):
        assert change[1, names.index(name)] < -20
        assert error[1, names.index(name)] > 20


def test_a_band_that_the_original_lacks_is_left_out() -> None:
    tone = torch.sin(2 * math.pi * 1_000 * torch.arange(RATE) / RATE)[None] * torch.hann_window(RATE)
    change, error = errors.band_levels([tone], [tone + 1e-3 * noise(1.0)])
    names = list(errors.BANDS_HZ)
    assert not change[0, names.index("mids")].isnan()
    assert bool(change[0, names.index("air")].isnan())
    assert bool(error[0, names.index("air")].isnan())
    assert bool(errors.band_levels([torch.zeros(1, 4_000)], [tone])[0].isnan().all())


def test_source_b_squares_do_not_depend_on_the_level() -> None:
    sound = noise(0.4)
    found = errors.source_b_squares([sound, sound], [0.5 * sound, noise(0.4, seed=9)], sample_rate=RATE)
    assert found[0] < 1e-9
    assert found[1] > 1e-6


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="one for every original"):
        errors.source_b_squares([noise(0.1)], [], sample_rate=RATE)
    with pytest.raises(ShapeError, match="one for every original"):
        errors.si_sdr([noise(0.1)], [])
    assert errors.further_errors([], [])["lsd_db"].shape == (0,)
