"""Held voices in play: no steps by moving latents, no jump of a sample by steals, silence or frames, limits of voices and slots."""

from __future__ import annotations

import numpy as np
import pytest
from tests.native.live.conftest import NewLive
from tests.native.live.held import RATE, line_beside, midi_hertz, rendered, tone

from timbrespace.native.live import Live


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_latents_that_sweep_leave_no_line_of_blocks_or_frames(new: NewLive, late: float) -> None:
    """late: parts of the time between two frames by which they come late, at random."""
    live, random, control, pieces, left = new(), np.random.default_rng(0), 100, [], 0
    number = np.arange(1, 21)
    for k in range(3 * control):
        fall = 40 / 20 * (0.5 - 0.5 * np.cos(np.pi * k / control))
        live.partials(0, number, 0.2 / number * 10 ** (-fall * number / 20), seconds=1 / control)
        if k == 0:
            live.hold(0, 60.0, attack=0)
        due = RATE // control * (k + 1) + int(late * random.uniform(0, RATE / control))
        pieces.append(live.render(due - left)[:, 0])
        left = due
    audio = np.concatenate(pieces).astype(np.float64)[RATE // 2 : RATE // 2 + 2 * RATE]
    for step in (RATE / 64, control):
        assert line_beside(audio, midi_hertz(60.0), step) < -65


def largest_jump(audio: np.ndarray) -> float:
    """The largest second difference: a click is one."""
    return float(np.abs(np.diff(audio, 2, axis=0)).max())


@pytest.mark.parametrize("kind", ["bank", "spectrum"])
def test_nothing_that_is_played_makes_a_sample_jump(new: NewLive, kind: str) -> None:
    random, live = np.random.default_rng(1), new(held=3, timbres=2)

    def frame(timbre: int) -> None:
        top = int(random.integers(1, 7))
        if kind == "bank":
            live.partials(timbre, np.arange(1, top + 1), 0.03 / np.arange(1, top + 1), seconds=0.02)
        else:
            shape = tone(220.0, top)
            live.spectrum(timbre, **{**shape, "magnitudes": 0.15 * shape["magnitudes"]}, seconds=0.02)

    frame(0)
    frame(1)
    pieces = []
    for k in range(400):
        live.hold(
            k % 9, float(random.uniform(40, 64)), kind=kind, timbre=k % 2, attack=0.005, release=0.01, seed=k, pan=random.uniform(-1, 1)
        )
        live.release(int(random.integers(9)))
        live.move(int(random.integers(9)), ["bend", "gain", "pan"][k % 3], float(random.uniform(0, 1)), seconds=0.005)
        if k % 3 == 0:
            frame(k % 2)
        if k % 90 == 0:
            live.silence()
        pieces.append(live.render(int(random.integers(300, 2_000))))
    audio = np.concatenate(pieces)
    steepest = 6 * 0.03 * 21 * (2 * np.pi * midi_hertz(65) / RATE) ** 2  # six voices, three of them in a fade, of 0.03 sin(n w t) / n
    assert np.abs(audio).max() < 0.6
    assert largest_jump(audio) < steepest


def test_more_voices_than_allowed_take_over_those_that_were_let_go_first(new: NewLive) -> None:
    def lines(live: Live) -> list[bool]:
        live.render(RATE // 10)
        level = np.abs(np.fft.rfft(rendered(live, RATE)[:, 0] * np.hanning(RATE))) * 4 / RATE
        return [bool(level[round(midi_hertz(note)) - 2 : round(midi_hertz(note)) + 3].max() > 0.02) for note in (60, 64, 67, 71)]

    live = new(held=3)
    live.partials(0, [1.0], [0.1])
    for k, note in enumerate((60.0, 64.0, 67.0)):
        live.hold(k, note, release=30.0)
        live.render(100)
    live.release(1)
    live.render(100)
    live.hold(3, 71.0)
    assert lines(live) == [True, False, True, True]
    live.hold(4, 90.0)
    assert lines(live) == [False, False, True, True]
    assert live.state().voices == 3


def test_voices_of_one_timbre_follow_it_and_others_do_not(new: NewLive) -> None:
    live = new()
    live.partials(0, [1.0], [0.1])
    live.partials(1, [1.0], [0.1])
    for k, note in enumerate((57.0, 69.0, 81.0)):
        live.hold(k, note, timbre=k % 2, attack=0)
    live.render(RATE // 10)
    live.partials(0, [1.0], [0.0])
    live.render(RATE // 10)
    level = np.abs(np.fft.rfft(rendered(live, RATE)[:, 0] * np.hanning(RATE))) * 4 / RATE
    assert [round(float(level[hertz]), 3) for hertz in (220, 440, 880)] == [0.0, 0.1, 0.0]


def test_seeds_differ_and_repeat(new: NewLive) -> None:
    found = []
    for seed in (0, 1, 1, 2):
        live = new()
        live.partials(0, np.arange(1, 21), np.full(20, 0.02))
        live.hold(0, 50.0, attack=0, seed=seed)
        found.append(live.render(4_000))
    np.testing.assert_array_equal(found[1], found[2])
    assert np.abs(found[1] - found[3]).max() > 0.1
    assert np.abs(found[0]).max() > 1.3 * np.abs(found[1]).max()  # partials that start together have a higher peak
