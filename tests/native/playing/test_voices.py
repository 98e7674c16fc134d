"""Voices of the player: closed forms, and the same samples for every length of blocks."""

from __future__ import annotations

import ctypes
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.native.playing.players import Memory, Options, Player, Voice, click

from native_core import ARGUMENT, MEMORY, Core

RATE, FADE = 44_100, 220  # 5 ms
KNEE = 10 ** (-2 / 20)


def noise(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, shape).astype(np.float32)


def sine(hertz: float, length: int, *, at: float = 0.0) -> NDArray[np.float64]:
    """at: samples by which it is early."""
    return 0.5 * np.sin(2 * np.pi * hertz / RATE * (np.arange(length) + at))


def test_a_sound_is_played_as_it_is(core: Core) -> None:
    player = Player(core)
    mono, stereo = player.sound(0, noise(0, 1_000)), player.sound(1, noise(1, 2, 700))
    player.play(time=100)
    player.play(time=1_200, sound=1)
    out = player.process(2_000)
    np.testing.assert_array_equal(out[:, 100:1_100], np.repeat(mono, 2, 0))
    np.testing.assert_array_equal(out[:, 1_200:1_900], stereo)
    assert not out[:, :100].any()
    assert not out[:, 1_100:1_200].any()
    assert not out[:, 1_900:].any()


def test_voices_add_up(core: Core) -> None:
    player, times = Player(core), [0, 3, 64, 65, 500]
    sounds = [player.sound(slot, 0.5 * noise(slot, 600))[0] for slot in range(5)]
    expected = np.zeros(2_000)
    for slot, time in enumerate(times):
        player.play(time=time, sound=slot, gain=0.4)
        expected[time : time + 600] += 0.4 * sounds[slot].astype(np.float64)
    np.testing.assert_allclose(player.process(2_000)[0], expected, atol=2e-7)


@pytest.mark.parametrize("curve", [0.0, 1.0, 1.5, 2.0])
def test_velocity_and_gain(core: Core, curve: float) -> None:
    for velocity in (1.0, 40.0, 127.0):
        player = Player(core, curve=curve)
        player.sound(0, click())
        player.play(velocity=velocity, gain=0.7)
        assert player.process(1)[0, 0] == pytest.approx(0.5 * 0.7 * (velocity / 127) ** curve, rel=1e-5)


@pytest.mark.parametrize("pan", [-1.0, -0.5, 0.0, 0.3, 1.0])
def test_pan_keeps_the_power_of_mono_and_balances_stereo(core: Core, pan: float) -> None:
    player = Player(core)
    player.sound(0, 0.5 * click())
    player.sound(1, np.stack([click(), 0.5 * click()]))
    player.play(pan=pan)
    player.play(time=10, sound=1, pan=pan)
    out = player.process(20).astype(np.float64)
    assert np.square(out[:, 0]).sum() == pytest.approx(2 * 0.25**2, rel=1e-5)
    assert (out[1, 0] > out[0, 0]) == (pan > 0)
    np.testing.assert_allclose(out[:, 10], [0.5 * min(1, 1 - pan), 0.25 * min(1, 1 + pan)], atol=1e-6)


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.7311])
@pytest.mark.parametrize("hertz", [440.0, 5_000.0, 12_000.0])
def test_a_sine_between_samples(core: Core, shift: float, hertz: float) -> None:
    player = Player(core)
    player.sound(0, sine(hertz, 4_000))
    player.play(start=(100 + shift) / RATE)
    found = player.process(3_800)[0, 100:3_700]
    np.testing.assert_allclose(found, sine(hertz, 3_600, at=200 + float(np.float32((100 + shift) / RATE)) * RATE - 100), atol=1e-3)


@pytest.mark.parametrize("tune", [-24.0, -7.3, -1.0, 0.5, 7.0, 12.0, 24.0])
def test_a_tuned_sine(core: Core, tune: float) -> None:
    player, ratio, hertz = Player(core), 2 ** (float(np.float32(tune)) / 12), 900.0
    player.sound(0, sine(hertz, 40_000))
    player.play(tune=tune)
    length = min(30_000, int(40_000 / ratio)) - 200
    expected = sine(hertz * round(ratio * 2**32) / 2**32, length)
    np.testing.assert_allclose(player.process(length)[0, 200:], expected[200:], atol=3e-4)


def test_other_sample_rates_keep_the_pitch(core: Core) -> None:
    player = Player(core, sample_rate=48_000)
    time = np.arange(22_050) / 22_050
    player.sound(0, 0.5 * np.sin(2 * np.pi * 500 * time), sample_rate=22_050)
    player.play()
    out = player.process(50_000)[0]
    np.testing.assert_allclose(out[500:47_000], 0.5 * np.sin(2 * np.pi * 500 * np.arange(500, 47_000) / 48_000), atol=1e-3)
    assert not out[48_001:].any()


@pytest.mark.parametrize("tune", [5.0, 12.0, 19.0, 24.0])
def test_nothing_is_mirrored_when_a_sound_is_tuned_up(core: Core, tune: float) -> None:
    """A sine that would end up over half the rate is gone."""
    player, ratio = Player(core), 2 ** (tune / 12)
    hertz = 22_050 * 1.5 / ratio if ratio > 1.6 else 21_500.0
    player.sound(0, sine(hertz, 60_000))
    player.play(tune=tune)
    out = player.process(int(50_000 / ratio))[0, 100:-100]
    assert 20 * np.log10(np.abs(out).max() / 0.5) < (-60 if ratio > 1.6 else -15)


def test_reverse(core: Core) -> None:
    player = Player(core)
    sound = player.sound(0, noise(3, 2, 900))
    player.play(reverse=1)
    player.play(time=1_000, reverse=1, start=float(np.float32(100 / RATE)))
    out = player.process(2_000)
    np.testing.assert_array_equal(out[:, :900], sound[:, ::-1])
    np.testing.assert_allclose(out[:, 1_000:1_800], sound[:, 799::-1], atol=1e-5)


def test_reverse_and_tuned_mirrors_tuned(core: Core) -> None:
    forward, backward = Player(core), Player(core)
    sound = noise(4, 5_000)
    forward.sound(0, sound)
    backward.sound(0, sound[::-1])
    forward.play(reverse=1, tune=3.3)
    backward.play(tune=3.3)
    np.testing.assert_allclose(forward.process(4_500), backward.process(4_500), atol=1e-6)


def test_attack_hold_and_decay(core: Core) -> None:
    player = Player(core)
    player.sound(0, np.full(5_000, 0.5))
    player.play(attack=1_000 / RATE, hold=500 / RATE, decay=2_000 / RATE)
    n = np.arange(5_000)
    gain = np.minimum(1, (n + 1) / 1_001) * np.clip(1 - (n - 1_500) / 2_000, 0, 1) ** np.where(n >= 1_500, 2, 0) * (n < 3_500)
    np.testing.assert_allclose(player.process(5_000)[0], 0.5 * gain, atol=1e-6)


def test_a_held_note_is_let_go(core: Core) -> None:
    player = Player(core)
    player.sound(0, np.full(9_000, 0.5))
    player.play(held=1, id=7, release=1_000 / RATE)
    player.play(held=0, id=7, gain=0.0)  # not held: nothing to let go
    player.do("release", 2_000, 8)  # another one
    player.do("release", 3_000, 7)
    player.do("release", 3_500, 7)  # again: no change
    out = player.process(9_000)[0]
    np.testing.assert_allclose(out[:3_000], 0.5, atol=1e-6)
    np.testing.assert_allclose(out[3_000:4_000], 0.5 * (1 - np.arange(1_000) / 1_000) ** 2, atol=1e-6)
    assert not out[4_000:].any()


def test_a_choke_group_ends_what_plays_in_it(core: Core) -> None:
    player = Player(core)
    player.sound(0, np.full(9_000, 0.25))
    player.sound(1, np.zeros(9_000))
    player.play(choke=1)
    player.play(choke=2, pan=-1.0, gain=0.5)
    player.play(time=1_000, sound=1, choke=1)
    right = player.process(3_000)[1]
    np.testing.assert_allclose(right[:1_000], 0.25, atol=1e-6)
    np.testing.assert_allclose(right[1_000 : 1_000 + FADE], 0.25 * (1 - np.arange(FADE) / FADE), atol=1e-6)
    assert not right[1_000 + FADE :].any()


def test_the_quietest_voice_is_given_up(core: Core) -> None:
    player = Player(core, voices=3)
    for slot, level in enumerate([0.2, 0.05, 0.1, 0.15]):
        player.sound(slot, np.full(9_000, level))
        player.play(time=100 * slot, sound=slot)
    out = player.process(2_000)[0]
    assert player.state.voices == 3
    np.testing.assert_allclose(out[250], 0.35, atol=1e-6)
    np.testing.assert_allclose(out[300 + FADE :], 0.45, atol=1e-6)  # without the one of 0.05
    np.testing.assert_allclose(out[300 : 300 + FADE], 0.45 + 0.05 * (1 - np.arange(FADE) / FADE), atol=1e-6)


def test_of_equals_the_oldest_is_given_up(core: Core) -> None:
    player = Player(core, voices=2)
    player.sound(0, np.full(5_000, 0.25))
    for index, pan in enumerate([-1.0, 1.0, -1.0]):
        player.play(time=index * 10, pan=pan)
    out = player.process(1_000)
    np.testing.assert_allclose(out[:, 999], [0.25 * 2**0.5] * 2, atol=1e-6)
    np.testing.assert_allclose(out[0, 30], 0.25 * 2**0.5 * (1 + 1 - 10 / FADE), atol=1e-5)


def test_more_voices_than_places_at_once(core: Core) -> None:
    player = Player(core, voices=2)
    player.sound(0, np.full(5_000, 0.01))
    for _ in range(50):
        player.play(time=5)
    out = player.process(1_000)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[0, 6 + FADE :], 0.02, atol=1e-6)


def test_mute_solo_and_level_of_lanes(core: Core) -> None:
    player = Player(core)
    player.sound(0, np.full(50_000, 0.1))
    for lane in range(3):
        player.lane(lane, [], length=16)
        player.play(lane=lane, gain=1 + lane)
    player.lane(1, [], length=16, mute=1, time=1_000)
    player.lane(2, [], length=16, level=0.5, time=2_000)
    player.lane(0, [], length=16, solo=1, time=3_000)
    player.lane(0, [], length=16, time=4_000)
    out = player.process(5_000)[0]
    for time, level in [(999, 0.6), (1_000 + FADE, 0.4), (2_000 + FADE, 0.25), (3_000 + FADE, 0.1), (4_000 + FADE, 0.25)]:
        assert out[time] == pytest.approx(level, abs=1e-6)
    assert np.abs(np.diff(out)).max() < 0.3 / FADE + 1e-6


def test_silence_and_master(core: Core) -> None:
    player = Player(core)
    player.sound(0, np.full(50_000, 0.1))
    player.play(lane=3)
    player.play()
    player.do("silence", 1_000, 3)
    player.do("master", 2_000, ctypes.c_float(4.0))
    player.do("silence", 3_000, -1)
    out = player.process(4_000)[0]
    assert out[[999, 1_000 + FADE, 2_000 + FADE]] == pytest.approx([0.2, 0.1, 0.4], abs=1e-6)
    assert not out[3_000 + FADE :].any()


def test_the_soft_limit(core: Core) -> None:
    """The identity up to -2 dBFS, then rising ever slower to full scale; without corners, and odd."""
    player, values = Player(core), np.linspace(-4, 4, 8_001).astype(np.float32)
    player.sound(0, values)
    player.play()
    out = player.process(8_001)[0]
    quiet = np.abs(values) <= KNEE
    np.testing.assert_array_equal(out[quiet], values[quiet])
    assert np.abs(out).max() < 1
    assert (np.diff(out) > 0).all()
    np.testing.assert_allclose(out, -out[::-1], atol=1e-6)
    assert np.abs(np.diff(out, 2)).max() < 2e-5
    assert player.state.peak == pytest.approx(4.0)


def test_sounds_are_exchanged_while_they_play(core: Core) -> None:
    player = Player(core)
    one = player.sound(0, np.full(9_000, 0.25))
    assert player.call("uses", one) == 1  # not seen by the audio thread yet
    player.play()
    player.process(1_000)
    two = player.sound(0, np.full(9_000, 0.5))
    out = player.process(100)[0]
    np.testing.assert_allclose(out, 0.25 * (1 - np.arange(100) / FADE), atol=1e-6)
    assert (player.call("uses", one), player.call("uses", two)) == (1, 1)  # the old one fades
    player.process(FADE)
    assert (player.call("uses", one), player.call("uses", two)) == (0, 1)
    player.do("sound", 0, None, 0, 0, 0)
    player.process(1)
    assert player.call("uses", two) == 0
    player.play()
    assert not player.process(100).any()


events = st.lists(
    st.tuples(
        st.integers(0, 3_000),  # time
        st.integers(0, 5),  # sound
        st.floats(1, 127, width=32),
        st.floats(-1, 1, width=32),
        st.floats(-24, 24, width=32),
        st.integers(0, 2),  # choke
        st.booleans(),  # reverse
        st.booleans(),  # held
        st.sampled_from([0.0, 0.001, 0.01, 0.05]),
    ),
    max_size=40,
)


@given(events, st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_blocks_of_any_length_give_the_same_samples(core: Core, played: list[tuple[int, ...]], blocks: list[int], voices: int) -> None:
    outs = []
    for lengths in ([4_096], [*blocks, max(0, 4_096 - sum(blocks))], [64] * 64):
        player = Player(core, voices=voices)
        for slot in range(6):
            player.sound(slot, noise(slot, 1 + slot % 2, 50 + 400 * slot), sample_rate=(44_100, 22_050, 48_000)[slot % 3])
        for time, sound, velocity, pan, tune, choke, reverse, held, fade in played:
            voice = {"pan": pan, "tune": tune, "choke": choke, "reverse": int(reverse), "held": int(held), "start": fade / 4}
            player.play(time=time, lane=sound, id=sound, velocity=velocity, sound=sound, attack=fade, decay=fade, release=fade, **voice)
            player.do("release", time + 500, sound)
        player.do("master", 1_000, ctypes.c_float(7.0))
        player.lane(2, [], length=16, mute=1, time=1_500)
        outs.append(player.process(lengths)[:, :4_096])
    assert outs[0].shape == outs[2].shape
    shortest = min(out.shape[1] for out in outs)
    for out in outs:
        np.testing.assert_array_equal(out[:, :shortest], outs[0][:, :shortest])
        assert np.abs(out).max() <= 1


@given(
    st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, 0.0, 1.0]), min_size=1, max_size=200),
    st.floats(-24, 24, width=32),
)
@settings(max_examples=60, deadline=None)
def test_never_not_a_number_and_never_over_full_scale(core: Core, values: list[float], tune: float) -> None:
    player = Player(core)
    player.sound(0, np.array(values))
    for time in (0, 7):
        player.play(time=time, tune=tune, gain=4.0)
    player.do("master", 0, ctypes.c_float(16.0))
    out = player.process(1_000)
    assert (np.abs(out) <= 1).all()  # no NaN


def test_arguments_out_of_range(core: Core) -> None:
    player, sound = Player(core), click(10)
    wrong = [("sound", 128), ("sound", -2), ("choke", -1), ("reverse", 2), ("held", -1), ("gain", 4.1), ("gain", np.nan), ("pan", 1.1)]
    wrong += [("tune", 24.1), ("tune", np.nan), ("start", -1), ("attack", 61), ("hold", np.inf), ("decay", -1), ("release", 100)]
    for name, value in wrong:
        assert player.call("play", 0, -1, 0, ctypes.c_float(100), Voice.of(core, **{name: value})) == ARGUMENT
    for lane, key, velocity in [(16, 0, 100), (-2, 0, 100), (0, -1, 100), (0, 0, 0), (0, 0, 128), (0, 0, np.nan)]:
        assert player.call("play", 0, lane, key, ctypes.c_float(velocity), Voice.of(core)) == ARGUMENT
    for slot, channels, length, rate in [
        (-1, 1, 10, 44_100),
        (128, 1, 10, 44_100),
        (0, 3, 3, 44_100),
        (0, 1, -1, 44_100),
        (0, 1, 10, 4_000),
    ]:
        assert player.call("sound", slot, sound, channels, length, rate) == ARGUMENT
    assert player.call("sound", 0, sound, 1, 2**31, 44_100) == ARGUMENT
    assert player.call("master", 0, ctypes.c_float(17)) == ARGUMENT
    for name, value in [("sample_rate", 100), ("voices", 0), ("voices", 257), ("sounds", 0), ("commands", 10), ("curve", np.nan)]:
        assert core("ts_player_size", ctypes.byref(Options.of(core, **{name: value})), result=ctypes.c_size_t) == 0


def test_too_little_memory(core: Core) -> None:
    options, handle, block = Options.of(core), ctypes.c_void_p(), np.zeros(100_000, np.uint8)
    for size in (0, 10, 1_000, 100_000):
        memory = Memory(block.ctypes.data, size, 0, b"")
        assert core("ts_player_open", ctypes.byref(options), ctypes.byref(memory), ctypes.byref(handle)) == MEMORY
    assert core("ts_player_open", ctypes.byref(options), ctypes.byref(Memory()), ctypes.byref(handle)) == MEMORY


def test_a_full_queue_is_said_and_is_emptied(core: Core) -> None:
    player = Player(core, commands=64)
    statuses = [player.call("silence", 0, -1) for _ in range(70)]
    assert statuses == [0] * 64 + [MEMORY] * 6
    player.process(1)
    assert player.call("silence", 2**40, -1) == 0  # waits for its time
    player.process(1)
    assert player.state.waiting == 1


def test_commands_from_another_thread_are_all_carried_out(core: Core) -> None:
    player, count, ready, heard = Player(core, commands=256, voices=256), 4_000, Event(), []
    player.sound(0, click())

    def listen() -> None:
        while not ready.is_set() or player.state.waiting:
            heard.append(float(player.process(64).sum(dtype=np.float64)))
        heard.append(float(player.process(64).sum(dtype=np.float64)))

    thread, voice = Thread(target=listen), Voice.of(core, gain=2**-10)
    thread.start()
    for _ in range(count):
        while player.call("play", 0, -1, 0, ctypes.c_float(127), voice) == MEMORY:
            pass
    ready.set()
    thread.join()
    assert sum(heard) == pytest.approx(2 * count * 0.5 * 2**-10, rel=1e-6)
