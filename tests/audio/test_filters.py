"""Filters against SciPy's, against closed forms, and at their extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from timbrespace.audio.filters import KINDS, biquad, driven_ladder, feedback_of, ladder, response, run, settling
from timbrespace.contracts import ConfigError, ShapeError

RATE = 44_100
BUTTERWORTH = 2**-0.5
hertz_values = st.floats(0.05, 0.4998 * RATE)
q_values = st.floats(0.05, 200.0)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


@pytest.mark.parametrize("kind", KINDS)
def test_response_is_what_scipy_says_of_the_same_coefficients(kind: str) -> None:
    sections = biquad(kind, 1234.0, 3.0, sample_rate=RATE, gain_db=7.0)
    hertz = np.linspace(1, 20_000, 500)
    _, expected = signal.freqz(sections[0, :3], sections[0, 3:], worN=hertz, fs=RATE)
    assert np.allclose(response(sections, hertz, sample_rate=RATE), expected, atol=1e-9)


@pytest.mark.parametrize(("kind", "btype"), [("low", "lowpass"), ("high", "highpass")])
@pytest.mark.parametrize("cutoff", [30.0, 1000.0, 15_000.0])
def test_butterworth_q_gives_scipys_butterworth(kind: str, btype: str, cutoff: float) -> None:
    expected = signal.butter(2, cutoff, btype, fs=RATE, output="sos")
    assert np.allclose(biquad(kind, cutoff, BUTTERWORTH, sample_rate=RATE), expected, atol=1e-9)


def test_biquads_at_their_marked_places() -> None:
    q = np.array([0.5, BUTTERWORTH, 4.0, 30.0])
    places = np.array([1e-9, 1000.0, RATE / 2])
    low, high, band, notch = (np.abs(response(biquad(kind, 1000.0, q, sample_rate=RATE), places, sample_rate=RATE)) for kind in KINDS[:4])
    assert np.allclose(low, np.stack([np.ones(4), q, np.zeros(4)], axis=1), atol=1e-6)
    assert np.allclose(high, np.stack([np.zeros(4), q, np.ones(4)], axis=1), atol=1e-6)
    assert np.allclose(band, [0, 1, 0], atol=1e-6)
    assert np.allclose(notch, [1, 0, 1], atol=1e-6)
    for gain_db in (-12.0, 0.0, 9.0):
        peak = np.abs(response(biquad("peak", 1000.0, 2.0, sample_rate=RATE, gain_db=gain_db), places, sample_rate=RATE))
        assert np.allclose(peak, [1, 10 ** (gain_db / 20), 1], atol=1e-6)


@pytest.mark.parametrize("k", [0.0, 0.5, 2.0, 3.6, 3.99])
@pytest.mark.parametrize("cutoff", [50.0, 2205.0, 18_000.0])
def test_ladder_is_its_analogue_form_with_the_frequencies_warped(k: float, cutoff: float) -> None:
    hertz = np.linspace(0.0, 0.499 * RATE, 700)
    s = 1j * np.tan(np.pi * hertz / RATE) / np.tan(np.pi * cutoff / RATE)
    got = response(ladder(cutoff, k, sample_rate=RATE), hertz, sample_rate=RATE)
    assert np.allclose(got, 1 / (k + (1 + s) ** 4), rtol=1e-6, atol=1e-9)


def test_ladder_at_its_marked_places() -> None:
    k = np.array([0.0, 1.0, 2.0, 3.9])
    at = response(ladder(700.0, k, sample_rate=RATE), [0.0, 700.0, RATE / 2], sample_rate=RATE)
    assert np.allclose(at[:, 0], 1 / (1 + k))
    assert np.allclose(at[:, 1], -1 / (4 - k))  # half a turn: why it oscillates at k = 4
    assert np.allclose(at[:, 2], 0, atol=1e-9)
    assert 20 * np.log10(abs(at[0, 1])) == pytest.approx(-12.04, abs=0.01)
    q = np.array([1.0, 2.0, 10.0])
    assert np.allclose(np.abs(response(ladder(700.0, feedback_of(q), sample_rate=RATE), 700.0, sample_rate=RATE))[:, 0], q / 4)


@pytest.mark.parametrize("cutoff", [100.0, 3000.0, 20_000.0])
@pytest.mark.parametrize("k", [0.0, 2.5, 3.9])
def test_a_ladder_driven_hardly_at_all_is_the_linear_one(cutoff: float, k: float) -> None:
    x = noise(3, 2000)
    linear = run(x, np.tile(ladder(cutoff, k, sample_rate=RATE), (3, 1, 1)))
    assert np.allclose(driven_ladder(x, cutoff, k, sample_rate=RATE, drive=1e-5), linear, atol=1e-6)
    assert not np.allclose(driven_ladder(x, cutoff, k, sample_rate=RATE, drive=1.0), linear, atol=1e-3)


def test_a_driven_ladder_sings_from_feedback_four_on_at_its_cutoff() -> None:
    x = np.zeros((3, RATE))
    x[:, 0] = 1.0
    tail = driven_ladder(x, 500.0, [3.6, 3.8, 4.4], sample_rate=RATE, drive=1.0)[:, RATE // 2 :]
    assert np.abs(tail[0]).max() < 1e-8
    assert np.abs(tail[1]).max() < 1e-2 * np.abs(tail[2]).max()
    assert 0.05 < np.abs(tail[2]).max() < 1.0
    crossings = np.count_nonzero(np.diff(np.sign(tail[2])) > 0)
    assert crossings / 0.5 == pytest.approx(500, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(hertz=hertz_values, q=q_values, kind=st.sampled_from(KINDS), gain=st.floats(-60, 60))
def test_every_biquad_is_stable_and_finite(hertz: float, q: float, kind: str, gain: float) -> None:
    sections = biquad(kind, hertz, q, sample_rate=RATE, gain_db=gain)
    assert np.isfinite(sections).all()
    assert np.abs(np.roots(sections[0, 3:])).max() < 1.0
    assert np.isfinite(run(noise(64), sections)).all()


@settings(max_examples=60, deadline=None)
@given(hertz=hertz_values, k=st.floats(0.0, 3.9999), drive=st.floats(0.01, 50))
def test_every_ladder_is_stable_and_bounded(hertz: float, k: float, drive: float) -> None:
    sections = ladder(hertz, k, sample_rate=RATE)
    for section in sections:
        assert np.abs(np.roots(section[3:])).max() < 1.0
    out = driven_ladder(np.sign(noise(512)) * 1e3, hertz, 2 * k, sample_rate=RATE, drive=drive)
    g = np.tan(np.pi * hertz / RATE)
    assert np.abs(out).max() <= max(1.0, 2 * g / (1 + g)) ** 4 / drive * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(hertz=st.floats(20, 20_000), q=st.floats(0.1, 60), k=st.floats(0, 3.95))
def test_settling_is_long_enough_and_not_absurd(hertz: float, q: float, k: float) -> None:
    for sections in (biquad("low", hertz, q, sample_rate=RATE), ladder(hertz, k, sample_rate=RATE)):
        size = int(settling(sections, fall_db=60.0))
        impulse = np.zeros(2 * size)
        impulse[0] = 1.0
        out = np.abs(run(impulse, sections))
        assert out[size:].max() < 1e-3 * out.max()
        if size > 1000:
            assert out[size // 4 :].max() > 1e-3 * out.max()


def test_each_signal_goes_through_its_own_filter_whatever_else_is_in_the_batch() -> None:
    x = noise(4, 300)
    sections = biquad("low", [100.0, 1000.0, 5000.0, 20.0], [1.0, 5.0, 0.7, 2.0], sample_rate=RATE)
    together = run(x, sections)
    for k in range(4):
        assert np.array_equal(together[k], run(x[k], sections[k]))
        assert np.allclose(together[k], signal.lfilter(sections[k, 0, :3], sections[k, 0, 3:], x[k]), atol=1e-9)
    driven = driven_ladder(x, [100.0, 1000.0, 5000.0, 20.0], [0.0, 1.0, 3.0, 5.0], sample_rate=RATE, drive=2.0)
    assert np.array_equal(driven[2], driven_ladder(x[2], 5000.0, 3.0, sample_rate=RATE, drive=2.0))
    assert run(np.zeros((0, 5)), np.zeros((0, 1, 6))).shape == (0, 5)


def test_bad_settings_say_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"'comb'.*notch"):
        biquad("comb", 100.0, 1.0, sample_rate=RATE)
    for wrong in ((0.0, 1.0), (30_000.0, 1.0), (float("nan"), 1.0), (100.0, 0.0), (100.0, float("inf"))):
        with pytest.raises(ConfigError, match="allowed is"):
            biquad("low", *wrong, sample_rate=RATE)
    with pytest.raises(ConfigError, match=r"feedback.*4"):
        ladder(100.0, 4.0, sample_rate=RATE)
    with pytest.raises(ConfigError, match="q of a filter"):
        feedback_of(0.5)
    with pytest.raises(ConfigError, match="drive"):
        driven_ladder(noise(8), 100.0, 1.0, sample_rate=RATE, drive=0.0)
    with pytest.raises(ShapeError, match="each of the 2"):
        driven_ladder(noise(2, 8), [1.0, 2.0, 3.0], 1.0, sample_rate=RATE, drive=1.0)
    with pytest.raises(ShapeError, match="do not match"):
        run(noise(2, 8), biquad("low", [1.0, 2.0, 3.0], 1.0, sample_rate=RATE))
