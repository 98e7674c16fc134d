"""Held voices of oscillators: closed forms of pitch, amplitude, phase and gate; the same samples for every length of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from tests.native.live.conftest import NewLive
from tests.native.live.held import RATE, cents, hertz_of, midi_hertz, rendered

from timbrespace.native.calls import Core
from timbrespace.native.live import Live


@pytest.mark.parametrize("note", [21.0, 36.5, 60.0, 69.0, 84.31, 108.0])
def test_pitch_is_that_of_the_note(new: NewLive, note: float) -> None:
    live, ratios = new(), [1.0, 2.0, 3.017, 5.0]
    live.partials(0, ratios, [0.2] * 4)
    live.hold(0, note, attack=0)
    audio = rendered(live, 2 * RATE)[:, 0]
    for ratio in ratios:
        if ratio * midi_hertz(note) < 0.45 * RATE:
            assert abs(cents(hertz_of(audio, ratio * midi_hertz(note)), ratio * midi_hertz(note))) < 0.05


def test_partials_are_sines_of_their_amplitude(new: NewLive) -> None:
    live = new()
    live.partials(0, [1.0, 2.5, 7.0], [0.3, -0.2, 0.05])
    live.hold(0, 57.0, attack=0)
    time = np.arange(RATE) / RATE
    expected = sum(a * np.sin(2 * np.pi * 220 * r * time) for r, a in [(1.0, 0.3), (2.5, -0.2), (7.0, 0.05)])
    np.testing.assert_allclose(rendered(live, RATE)[:, 0], expected, atol=2e-5)


def test_the_gate_has_smooth_slopes_of_the_lengths_asked_for(new: NewLive) -> None:
    live, attack, release = new(), 0.05, 0.2
    live.partials(0, [1.0], [0.5])
    live.hold(3, 69.0, attack=attack, release=release)
    live.release(3, time=RATE // 2)
    audio, time = rendered(live, RATE)[:, 0], np.arange(RATE) / RATE
    rise, fall = np.clip(time / attack, 0, 1), np.clip(1 - (time - 0.5) / release, 0, 1)
    gate = rise**2 * (3 - 2 * rise) * fall**2 * (3 - 2 * fall)
    np.testing.assert_allclose(audio, 0.5 * gate * np.sin(2 * np.pi * 440 * time), atol=2e-5)
    assert live.state().voices == 0


def test_a_bend_moves_the_frequency_along_a_line_and_the_phase_goes_on(new: NewLive) -> None:
    live = new()
    live.partials(0, [1.0], [0.5])
    live.hold(1, 69.0, attack=0)
    live.move(1, "bend", 12.0, seconds=0.5, time=RATE // 4)
    time = np.arange(2 * RATE) / RATE
    hertz = 440 * 2 ** np.clip((time - 0.25) / 0.5, 0, 1)
    phase = np.concatenate([[0], np.cumsum(hertz[:-1])]) / RATE
    audio = rendered(live, 2 * RATE)[:, 0]
    found = np.unwrap(np.angle(np.fft.ifft(np.fft.fft(audio) * np.r_[1, 2 * np.ones(RATE - 1), 1, np.zeros(RATE - 1)])))
    drift = (found - (2 * np.pi * phase - np.pi / 2))[2_000:-2_000]
    assert np.abs(drift - drift[0]).max() < 0.02
    assert np.abs(np.diff(audio)).max() <= 0.5 * 2 * np.pi * 880 / RATE * 1.001


def script(live: Live) -> None:
    """A bit of everything, at times that no block length has as a multiple."""
    live.partials(0, np.arange(1, 33), 0.1 / np.arange(1, 33))
    live.partials(1, [1.0, 1.5], [0.1, 0.1])
    for k, note in enumerate((40.0, 52.25, 95.0)):
        live.hold(k, note, timbre=k % 2, time=37 * k, attack=0.003 * k, release=0.02, seed=k, pan=0.3 * k - 0.3)
        live.move(k, "bend", 1.0 - k, seconds=0.02, time=333 + k)
        live.move(k, "gain", 0.5 + k, seconds=0.001, time=901)
    for k in range(20):
        live.partials(
            k % 2, np.arange(1, 33) * (1 + 0.001 * k), 0.1 / np.arange(1, 33) ** (0.5 + 0.05 * k), seconds=0.005, time=100 + 131 * k
        )
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


def test_partials_fade_out_below_half_the_rate(new: NewLive) -> None:
    live = new()
    live.partials(0, [1.0, 2.0, 40.0], [0.2, 0.2, 0.2])
    live.hold(0, 100.0, attack=0)  # 2637 Hz
    live.move(0, "bend", 30.0, seconds=1.0)  # the second partial goes to 29.8 kHz
    audio = rendered(live, 2 * RATE)[:, 0]
    level = np.abs(np.fft.rfft(audio[RATE:] * np.hanning(RATE))) * 4 / RATE
    hertz = midi_hertz(130.0)
    assert level[round(hertz)] == pytest.approx(0.2, rel=0.05)
    assert level[np.abs(np.arange(len(level)) - hertz) > 50].max() < 1e-4  # nothing is mirrored
    assert np.isfinite(audio).all()
