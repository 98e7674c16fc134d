"""Voices bent while they sound: pitch, place and end in closed form, and no jump."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from tests.native.playing.players import Player

from native_core import ARGUMENT, Core

RATE = 44_100


def sine(turns: np.ndarray) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * turns)


@pytest.mark.parametrize("semitones", [12.0, -12.0, 2.0, -0.5, 24.0])
@pytest.mark.parametrize("reverse", [0, 1])
def test_a_bent_sine_goes_on_where_it_is(core: Core, semitones: float, reverse: int) -> None:
    """Sample n of a sine of 200 Hz is at n, after the bend at `at + (n - at) * ratio`; it ends where the sound is used up."""
    player, at, length, ratio = Player(core), 3_000, 20_000, 2 ** (semitones / 12)
    player.sound(0, sine(np.arange(length) * 200 / RATE).astype(np.float32))
    player.play(id=7, reverse=reverse)
    player.do("bend", at, 7, ctypes.c_float(semitones))
    out = player.process(90_000)[0]
    end = at + int(np.ceil((length - at) / ratio))
    number = np.arange(end)
    place = np.where(number < at, number, at + (number - at) * ratio)
    wanted = sine((length - 1 - place if reverse else place) * 200 / RATE)
    inner = slice(0, end - 100)
    np.testing.assert_allclose(out[inner], wanted[inner], atol=2e-4)
    assert not out[end:].any()
    assert np.abs(np.diff(out[: end - 100])).max() < 1.01 * 0.5 * 2 * np.pi * 200 / RATE * max(1, ratio)


def test_a_bend_back_is_the_pitch_of_before(core: Core) -> None:
    player, length = Player(core), 30_000
    player.sound(0, sine(np.arange(length) * 300 / RATE).astype(np.float32))
    player.play(id=1)
    for time, semitones in ((2_000, 1.0), (4_000, 0.0)):
        player.do("bend", time, 1, ctypes.c_float(semitones))
    out = player.process(12_000)[0]
    shift = 2_000 * (2 ** (1 / 12) - 1)
    wanted = sine((np.arange(4_000, 12_000) + shift) * 300 / RATE)
    np.testing.assert_allclose(out[4_000:], wanted, atol=2e-4)


def test_only_voices_of_the_id_are_bent_and_fades_keep_their_times(core: Core) -> None:
    player = Player(core)
    sound = sine(np.arange(40_000) * 100 / RATE).astype(np.float32)
    player.sound(0, sound)
    player.play(id=1, pan=-1.0)
    player.play(id=2, pan=1.0, held=1, release=0.1)
    player.do("bend", 1_000, 2, ctypes.c_float(12.0))
    player.do("release", 5_000, 2)
    left, right = player.process(20_000)
    np.testing.assert_allclose(left[:20_000], np.sqrt(2) * sound[:20_000], atol=1e-6)
    assert right[5_000 : 5_000 + 4_300].any()
    assert not right[5_000 + 4_410 :].any()


def test_the_length_of_blocks_changes_nothing(core: Core) -> None:
    outs = []
    for block in (1, 64, 777, 4_000):
        player = Player(core)
        player.sound(0, np.random.default_rng(0).uniform(-0.4, 0.4, 6_000).astype(np.float32))
        player.play(id=3)
        for time, semitones in ((500, 2.0), (501, -2.0), (1_999, 7.3)):
            player.do("bend", time, 3, ctypes.c_float(semitones))
        outs.append(np.concatenate([player.process(min(block, 4_000 - at)) for at in range(0, 4_000, block)], axis=1))
    for out in outs[1:]:
        np.testing.assert_array_equal(out, outs[0])


@pytest.mark.parametrize(("id", "semitones"), [(-1, 0.0), (0, 24.5), (0, -25.0), (0, np.nan), (0, np.inf)])
def test_what_is_no_bend_is_refused(core: Core, id: int, semitones: float) -> None:  # noqa: A002
    assert Player(core).call("bend", 0, id, ctypes.c_float(semitones)) == ARGUMENT
