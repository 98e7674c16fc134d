"""Held voices of inverse transforms: pitch, amplitude, noise and phase of what a spectrum says; the same samples for every block length."""

from __future__ import annotations

import numpy as np
import pytest
from tests.native.live.conftest import NewLive
from tests.native.live.held import RATE, Audio, cents, hertz_of, line_beside, midi_hertz, rendered, spectrum_of, tone

from timbrespace.contracts import ConfigError
from timbrespace.native.calls import Core
from timbrespace.native.live import Live


def held(live: Live, note: float, frames: int, **options: float) -> Audio:
    live.hold(0, note, kind="spectrum", **{"attack": 0, **options})
    return rendered(live, frames)[:, 0]


@pytest.mark.parametrize("note", [28.0, 45.0, 57.0, 60.37, 76.0, 90.0])
@pytest.mark.parametrize("hertz", [110.0, 220.0, 523.25])
def test_pitch_is_that_of_the_note(new: NewLive, hertz: float, note: float) -> None:
    live = new()
    live.spectrum(0, **tone(hertz, 12))
    audio = held(live, note, RATE)
    for n in (1, 2, 3, 7):
        if (wanted := n * midi_hertz(note)) < 0.4 * RATE:
            assert abs(cents(hertz_of(audio, wanted), wanted)) < 0.5


def test_partials_that_are_no_harmonics_keep_their_place_and_amplitude(new: NewLive) -> None:
    wanted = np.array([131.3, 319.7, 480.1, 701.9, 1_411.2, 2_903.3])
    amplitudes = np.array([0.1, 0.2, 0.05, 0.1, 0.15, 0.1])
    for bandwidth, window in ((1.3628, np.hamming), (1.5, np.hanning)):
        live, time, weights = new(), np.arange(4096) / 44_100, window(4097)[:-1]
        live.spectrum(0, **spectrum_of(np.sin(np.outer(time, 2 * np.pi * wanted) + np.arange(6)) @ amplitudes, weights, 110.0, bandwidth))
        audio = held(live, 57.0, 2 * RATE)  # an octave up
        for hertz, amplitude in zip(2 * wanted, amplitudes, strict=True):
            assert abs(cents(hertz_of(audio, hertz), hertz)) < 3
            line = np.abs(
                np.mean(audio[:RATE] * np.hanning(RATE) * 2 * np.exp(-2j * np.pi * hertz_of(audio, hertz) * np.arange(RATE) / RATE))
            )
            assert 2 * line == pytest.approx(amplitude, rel=0.02)


@pytest.mark.parametrize("note", [57.0, 60.0, 40.0])
def test_a_steady_tone_has_no_line_of_its_hops(new: NewLive, note: float) -> None:
    live = new()
    live.spectrum(0, **tone(220.0, 20))
    audio = held(live, note, 3 * RATE)[RATE:]
    assert line_beside(audio, midi_hertz(note), RATE / 256) < -85
    assert line_beside(audio, midi_hertz(note), RATE / 64) < -85


@pytest.mark.parametrize("note", [57.0, 69.0])
def test_noise_has_the_power_of_its_spectrum(new: NewLive, note: float) -> None:
    live, magnitude, bins, spacing = new(), 1e-3, 1_025, 10.0
    live.spectrum(0, np.full(bins, magnitude), spacing=spacing, hertz=220.0, bandwidth=1.5)
    audio = held(live, note, 8 * RATE, seed=3)
    power = np.mean(audio**2)
    assert power == pytest.approx(magnitude**2 / (2 * 1.5 * spacing) * spacing * (bins - 1), rel=0.05)
    density = np.abs(np.fft.rfft(audio.reshape(-1, 4_800) * np.hanning(4_800))) ** 2
    top = (bins - 1) * spacing * midi_hertz(note) / 220
    hertz = np.arange(2_401) * 10.0
    inside, outside = density.mean(0)[(hertz > 200) & (hertz < 0.97 * top)], density.mean(0)[hertz > top + 400]
    assert inside.std() / inside.mean() < 0.2
    assert outside.mean() < 1e-5 * inside.mean()
    assert np.abs(np.corrcoef(audio[:RATE], audio[RATE : 2 * RATE])[0, 1]) < 0.02  # it does not repeat


def test_it_begins_at_its_full_level(new: NewLive) -> None:
    live = new()
    live.spectrum(0, **tone(440.0, 1))
    audio = held(live, 69.0, RATE)
    for first in (0, 100, 256, 700):
        piece = audio[first : first + 1_091]  # ten periods
        assert np.sqrt(2 * np.mean(piece**2)) == pytest.approx(0.2, rel=0.01)


def test_latents_that_sweep_leave_no_line_of_blocks_hops_or_frames(new: NewLive) -> None:
    live, pieces, control = new(), [], 100
    time, window = np.arange(4096) / 44_100, np.hamming(4097)[:-1]
    for k in range(3 * control):
        fall = 40 / 20 * (0.5 - 0.5 * np.cos(np.pi * k / control))
        wave = sum(0.2 / n * 10 ** (-fall * n / 20) * np.sin(2 * np.pi * 220 * n * time + n * n) for n in range(1, 21))
        live.spectrum(0, **spectrum_of(wave, window, 220.0, 1.3628), seconds=1 / control)
        if k == 0:
            live.hold(0, 60.0, kind="spectrum", attack=0)
        pieces.append(live.render(RATE // control)[:, 0])
    audio = np.concatenate(pieces).astype(np.float64)[RATE // 2 :]
    for step in (RATE / 64, RATE / 256, control):
        assert line_beside(audio, midi_hertz(60.0), step) < -75


def script(live: Live) -> None:
    live.spectrum(0, **tone(220.0, 20))
    live.spectrum(1, np.geomspace(0.02, 1e-4, 600), spacing=20.0, hertz=300.0)
    for k, note in enumerate((50.0, 62.5, 71.0)):
        live.hold(k, note, kind="spectrum", timbre=k % 2, time=41 * k, attack=0.002 * k, release=0.01, seed=k)
        live.move(k, "bend", 2.0 - k, seconds=0.02, time=500 + k)
    for k in range(8):
        live.spectrum(0, **tone(220.0, 20 - 2 * k), seconds=0.004, time=300 + 211 * k)
    live.spectrum(1, np.full(300, 1e-3), spacing=40.0, hertz=300.0, time=1_777)
    live.release(1, time=1_501)
    live.silence(time=3_500)


@pytest.mark.parametrize("block", [1, 64, 65, 512, [3, 700, 31, 1]])
def test_blocks_do_not_matter(new: NewLive, block: int | list[int]) -> None:
    one, other = new(), new()
    script(one)
    script(other)
    np.testing.assert_array_equal(rendered(one, 4_096, block), rendered(other, 4_096))


def test_both_ways_give_the_same_bits(cores: dict[str, Core]) -> None:
    found = []
    for core in cores.values():
        live = Live(core=core)
        script(live)
        found.append(live.render(4_096))
    np.testing.assert_array_equal(*found)


def test_a_timbre_without_a_spectrum_is_silent_and_one_that_ends_falls_silent(new: NewLive) -> None:
    live = new()
    live.hold(0, 60.0, kind="spectrum", attack=0)
    assert not live.render(1_000).any()
    live.spectrum(0, **tone(220.0, 5))
    live.render(2_000)
    assert np.abs(live.render(1_000)).max() > 0.1
    live.spectrum(0, np.zeros(1_025), spacing=44_100 / 4_096, hertz=220.0)
    live.render(3_000)
    assert not live.render(1_000).any()


def test_a_bank_plays_the_partials_of_a_spectrum(new: NewLive) -> None:
    live = new()
    shape = tone(220.0, 12)
    ratios, amplitudes = live.partials_of(**shape, count=16)
    np.testing.assert_allclose(ratios[:12], np.arange(1, 13), atol=1e-5)
    np.testing.assert_allclose(amplitudes[:12], 0.2 / np.arange(1, 13), rtol=0.01)
    assert not amplitudes[12:].any()
    live.spectrum(0, **shape)
    live.partials(0, ratios, amplitudes)
    levels = []
    for kind in ("bank", "spectrum"):
        live.hold(1, 62.3, kind=kind, attack=0)
        levels.append(np.abs(np.fft.rfft(rendered(live, RATE)[:, 0] * np.hanning(RATE))) * 4 / RATE)
        live.silence()
        live.render(1_000)
    np.testing.assert_allclose(*levels, atol=1e-3)


def test_partials_between_harmonics_have_slots_of_their_own(new: NewLive) -> None:
    time, hertz = np.arange(4096) / 44_100, np.array([110.0, 171.0, 220.0, 310.0])
    wave = np.sin(np.outer(time, 2 * np.pi * hertz)) @ [0.1, 0.05, 0.2, 0.1]
    ratios, amplitudes = new().partials_of(**spectrum_of(wave, np.hamming(4097)[:-1], 110.0, 1.3628), each=4, count=40)
    np.testing.assert_allclose(ratios[amplitudes > 0.01] * 110, hertz, atol=0.5)
    np.testing.assert_allclose(amplitudes[amplitudes > 0.01], [0.1, 0.05, 0.2, 0.1], rtol=0.05)


@pytest.mark.parametrize("bad", [{"each": 0}, {"each": 9}, {"count": 257}, {"hertz": np.nan}, {"spacing": 0}, {"magnitudes": [1.0, 2.0]}])
def test_what_is_no_spectrum_has_no_partials(new: NewLive, bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        new().partials_of(**{**tone(220.0, 3), **bad})


def test_one_spectrum_of_noise_stays_noise(new: NewLive) -> None:
    """Single spectra of noise have peaks by chance: few of them may become tones, else held noise sounds like metal."""
    wave = np.random.default_rng(0).normal(size=4_096) * 0.1
    live = new(bins=2_049)
    shape = spectrum_of(wave, np.hamming(4097)[:-1], 220.0, 1.3628)
    live.spectrum(0, **{**shape, "magnitudes": np.r_[shape["magnitudes"], np.zeros(1_024)]})
    audio = held(live, 57.0, 4 * RATE)[RATE:]
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    assert power[power > 300 * np.median(power[: len(power) // 3])].sum() < 0.03 * power.sum()
    assert np.mean(audio**2) == pytest.approx(np.square(shape["magnitudes"]).sum() / 2 / 1.3628, rel=0.2)


@pytest.mark.parametrize("hertz", [43.0, 55.0, 75.0])
def test_harmonics_of_low_tones_are_all_found(new: NewLive, hertz: float) -> None:
    ratios, amplitudes = new().partials_of(**tone(hertz, 20), count=20)
    np.testing.assert_allclose(ratios, np.arange(1, 21), rtol=1e-3)
    np.testing.assert_allclose(amplitudes, 0.2 / np.arange(1, 21), rtol=0.03)
