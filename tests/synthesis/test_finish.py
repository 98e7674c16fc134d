"""Finishing: ends, offset, tail, level and loudness."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from torch import Tensor

from timbrespace.audio.loudness import k_weighting, momentary_loudness
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.synthesis.finish import finish, high_pass

RATE = 44_100


def hit(
    seconds: float = 1.0, *, hertz: float = 200.0, t60: float = 0.4, channels: int = 1, offset: float = 0.0, jump: bool = False
) -> Tensor:
    """A decaying tone: starts at its very peak with `jump`, else at zero."""
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    phase = math.pi / 2 if jump else 0.0
    wave = 0.5 * torch.sin(2 * math.pi * hertz * time + phase) * torch.exp(-math.log(1000) * time / t60) + offset
    return wave.float().expand(channels, -1).clone()


def db(ratio: float) -> float:
    return 20 * math.log10(max(ratio, 1e-12))


def test_peak_level_zero_ends_and_tail() -> None:
    out = finish(hit(3.0), RATE)
    assert out.dtype == torch.float32
    assert db(float(out.abs().max())) == pytest.approx(-1.0, abs=1e-4)
    assert out[0, 0] == 0
    assert out[0, -1] == 0
    # -60 dB after 0.4 s: -72 dB after 0.48 s, and the rest is cut off
    assert out.shape[1] / RATE == pytest.approx(0.48, abs=0.02)
    assert out[0, -20:].abs().max() < 10 ** (-75 / 20)


def test_finishing_is_deterministic_and_leaves_its_input_alone() -> None:
    sound = hit(channels=2, offset=0.02, jump=True)
    before = sound.clone()
    assert torch.equal(finish(sound, RATE), finish(sound, RATE))
    assert torch.equal(sound, before)


def test_an_offset_is_removed_without_a_click_at_the_start() -> None:
    clean, dirty = finish(hit(), RATE), finish(hit(offset=0.1), RATE)
    size = min(clean.shape[1], dirty.shape[1])
    assert (clean[:, :size] - dirty[:, :size]).abs().max() < 0.01
    assert abs(float(dirty.mean())) < 1e-3


def test_subsonics_are_removed_and_kicks_are_kept() -> None:
    time = torch.arange(2 * RATE) / RATE
    rumble = 0.5 * torch.sin(2 * math.pi * 3 * time)[None]
    both = finish(hit(2.0, hertz=50, t60=1.5) + rumble, RATE, level="keep")
    middle = both[0, RATE // 2 : RATE].double().numpy()
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size), n=RATE))
    alone = hit(2.0, hertz=50, t60=1.5)[0, RATE // 2 : RATE].double().numpy()
    reference = np.abs(np.fft.rfft(alone * np.hanning(alone.size), n=RATE))
    assert db(spectrum[50] / reference[50]) == pytest.approx(0, abs=0.3)
    before = rumble[0, RATE // 2 : RATE].double().numpy()
    assert spectrum[3] < 0.1 * np.abs(np.fft.rfft(before * np.hanning(before.size), n=RATE))[3]


@pytest.mark.parametrize("rate", [1000, 22_050, 44_100, 768_000])
@pytest.mark.parametrize("size", [1, 2, 1000, 50_001])
def test_the_high_pass_filter_equals_that_of_scipy(rate: int, size: int) -> None:
    wave = np.random.default_rng(0).normal(size=(2, size)) + 0.3
    expected = signal.sosfilt(signal.butter(2, 10.0, "highpass", fs=rate, output="sos"), wave, axis=-1)
    near = 1e-7 if rate > 100_000 else 1e-9  # the poles come close to the double zero
    assert high_pass(wave, rate, cutoff=10.0) == pytest.approx(expected, abs=near)


def test_nothing_rings_before_the_attack() -> None:
    sound = torch.zeros(1, RATE)
    sound[0, 1000:] = hit(jump=True)[0, : RATE - 1000]
    assert finish(sound, RATE)[0, :1000].abs().max() < 1e-4


def test_a_jump_at_the_start_gets_a_ramp_before_it() -> None:
    sound = hit(jump=True)
    out = finish(sound, RATE, level="keep")
    extra = int(torch.argmax(out.abs()))
    assert 0 < extra <= 0.001 * RATE  # at most 1 ms
    assert out[0, 0] == 0
    assert out.diff().abs()[0, : extra + 1].max() < 0.3 * out.abs().max()  # no click: the step is spread
    assert torch.allclose(out[0, extra : extra + 40], sound[0, :40], atol=0.05)  # the attack itself is there, sample by sample
    clean = finish(hit(), RATE, level="keep")
    assert torch.allclose(clean[0, 1:40], hit()[0, 1:40], atol=0.02)  # nothing is set before a sound that starts at zero


def test_a_sound_cut_off_loud_is_faded() -> None:
    out = finish(hit(0.2, t60=10.0), RATE)
    assert out.shape[1] == pytest.approx(0.2 * RATE, abs=2)
    assert out[0, -1] == 0
    assert out.diff().abs()[0, -5:].max() < 0.02
    assert out[0, : int(0.18 * RATE)].abs().max() == out.abs().max()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 100, 441])
@pytest.mark.parametrize("level", ["peak", "loudness", "keep"])
def test_any_length(size: int, channels: int, level: str) -> None:
    sound = torch.linspace(1.7, -1.7, size).expand(channels, -1)
    out = finish(sound, RATE, level=level)  # type: ignore[arg-type]
    assert out.shape[0] == channels
    assert out.shape[1] >= 1
    assert torch.isfinite(out).all()
    assert out.abs().max() <= 1.0
    assert (out[:, 0] == 0).all()
    assert (out[:, -1] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**31), st.floats(1e-6, 1e6), st.sampled_from(["peak", "loudness", "keep"]))
def test_never_clips(size: int, seed: int, gain: float, level: str) -> None:
    sound = gain * torch.randn(2, size, generator=torch.Generator().manual_seed(seed))
    out = finish(sound, RATE, level=level, target_db=0.0)  # type: ignore[arg-type]
    assert torch.isfinite(out).all()
    assert out.abs().max() <= 1.0 + 1e-6
    assert (out[:, -1] == 0).all()


def test_silence_stays_silence() -> None:
    out = finish(torch.zeros(2, 500), RATE)
    assert out.shape == (2, 500)
    assert (out == 0).all()


def test_keep_keeps_the_level_unless_it_would_clip() -> None:
    assert finish(hit(), RATE, level="keep").abs().max() == pytest.approx(float(hit().abs().max()), rel=0.05)
    assert db(float(finish(4 * hit(), RATE, level="keep").abs().max())) == pytest.approx(-0.1, abs=0.01)


def test_stereo_channels_share_one_gain() -> None:
    sound = hit(channels=2)
    sound[1] *= 0.25
    out = finish(sound, RATE)
    assert float(out[0].abs().max() / out[1].abs().max()) == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_another_output_rate(rate: int) -> None:
    pytest.importorskip("timbrespace.audio.files")
    out = finish(hit(), RATE, out_rate=rate)
    assert out.shape[1] / rate == pytest.approx(finish(hit(), RATE).shape[1] / RATE, abs=0.01)
    assert db(float(out.abs().max())) == pytest.approx(-1.0, abs=1e-4)
    assert out[0, -1] == 0


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_reference_tone_of_the_standard(rate: int) -> None:
    """997 Hz at full scale in one channel reads -3.01 LKFS; in both channels of a stereo sound 0.00."""
    tone = torch.sin(2 * math.pi * 997 * torch.arange(3 * rate, dtype=torch.float64) / rate)[None]
    assert momentary_loudness(tone, rate) == pytest.approx(-3.01, abs=0.02)
    assert momentary_loudness(tone.expand(2, -1), rate) == pytest.approx(0.0, abs=0.02)
    assert momentary_loudness(0.1 * tone, rate) == pytest.approx(-23.01, abs=0.02)


def test_filter_is_the_standards_table_at_48_khz() -> None:
    table = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    assert np.allclose(k_weighting(48_000), table, atol=1e-8)


def test_silence_and_short_sounds() -> None:
    tone = torch.sin(2 * math.pi * 997 * torch.arange(4 * RATE, dtype=torch.float64) / RATE)[None]
    assert momentary_loudness(torch.zeros(1, 100), RATE) == -math.inf
    assert momentary_loudness(tone[:, : RATE // 10], RATE) == pytest.approx(-3.01 - 6.02, abs=0.1)  # a quarter of the window


def test_loudness_level() -> None:
    sound = hit(1.0, hertz=1000, t60=1.0)
    out = finish(sound, RATE, level="loudness", target_db=-20.0)
    assert momentary_loudness(out, RATE) == pytest.approx(-20.0, abs=0.05)
    loud = finish(hit(0.05, t60=0.03), RATE, level="loudness", target_db=-3.0)
    assert db(float(loud.abs().max())) == pytest.approx(-0.1, abs=0.01)  # held under the ceiling


def test_invalid_input_is_refused() -> None:
    for wrong in (torch.zeros(5), torch.zeros(1, 0), torch.zeros(1, 5, dtype=torch.int16), torch.tensor([[math.nan]])):
        with pytest.raises(ShapeError):
            finish(wrong, RATE)
    for options in ({"level": "loud"}, {"target_db": 1.0}, {"target_db": math.nan}, {"out_rate": 10}):
        with pytest.raises(ConfigError, match="allowed"):
            finish(hit(), RATE, **options)  # type: ignore[arg-type]
