"""Patterns of the player: onsets from formulas, to the sample, and nothing that drifts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.native.playing.players import LANES, STEPS, TICKS, WALKS, Hit, Lane, Player, Step, Walk, click, onsets

from native_core import ARGUMENT, Core
from timbrespace.noise import Noise, Purpose

RATE = 44_100
WALK_VELOCITY, WALK_PAN, WALK_TUNE, WALK_START, WALK_DECAY = range(WALKS)
# Toussaint 2005, "The Euclidean algorithm generates traditional musical rhythms".
KNOWN = (
    *("x.x..", "x.xx", "x.x.x", "x.x.x..", "x..x..x.", "x.x.x.x", "x.x.x.x..", "x..x..x..x.", "x.xxxx", "x.xx.xx", "x.xx.xx."),
    *("x.x.x.x.x", "x.x.x.x.x..", "x..x.x..x.x.", "x..x..x..x..x...", "x.xxxxxx", "x.xx.x.xx.x.", "x..x.x.x..x.x.x."),
    *("x.xx.x.x.xx.x.x.", "x..x.x.x.x.x..x.x.x.x.x.", "x.xx.x.x.x.x.xx.x.x.x.x."),
)


def at(tick: Fraction | int, *, tempo: float = 120, rate: int = RATE, first: int = 0) -> int:
    """The sample of a tick, rounded to the nearest."""
    return first + floor(Fraction(tick) * rate * 60 / (Fraction(round(tempo * 1_000), 1_000) * TICKS) + Fraction(1, 2))


def player_of_clicks(core: Core, **options: int) -> Player:
    player = Player(core, **options)
    player.sound(0, click(), sample_rate=player.sample_rate)
    return player


def euclid(core: Core, pulses: int, steps: int, rotation: int = 0) -> str:
    bits = core("ts_euclid", pulses, steps, rotation, result=ctypes.c_uint64)
    assert bits < 2**steps
    return "".join("x" if bits >> k & 1 else "." for k in range(steps))


def hit(core: Core, lane: Lane, step: Step, number: int, *, index: int = 0, seed: int = 0) -> Hit:
    result = Hit()
    assert core("ts_lane_hit", ctypes.byref(lane), index, ctypes.byref(step), seed, number, ctypes.byref(result)) == 0
    return result


@pytest.mark.parametrize("rhythm", KNOWN)
def test_known_rhythms(core: Core, rhythm: str) -> None:
    assert euclid(core, rhythm.count("x"), len(rhythm)) == rhythm


@given(st.integers(1, STEPS), st.integers(-5, STEPS + 5), st.integers(-200, 200))
def test_pulses_are_as_even_as_can_be(core: Core, steps: int, pulses: int, rotation: int) -> None:
    rhythm = euclid(core, pulses, steps, rotation)
    expected = min(max(pulses, 0), steps)
    assert rhythm.count("x") == expected
    places = [k for k, step in enumerate(rhythm) if step == "x"]
    gaps = {(b - a) % steps or steps for a, b in zip(places, places[1:] + places[:1], strict=True)}
    assert len(gaps) <= 2
    assert not gaps or max(gaps) - min(gaps) <= 1
    plain, turn = euclid(core, pulses, steps), rotation % steps
    assert rhythm == plain[turn:] + plain[:turn]


def test_two_minutes_without_drift(core: Core) -> None:
    player = player_of_clicks(core)
    player.lane(0, [Step()] * 16)
    player.do("tempo", 0, 133.7)
    player.do("start", 0, 0)
    length = 120 * RATE
    found = onsets(player.process([4_410] * 1_200))
    expected = [at(k * TICKS // 4, tempo=133.7) for k in range(5_000)]
    assert found == [time for time in expected if time < length]


@pytest.mark.parametrize("swing", [0.5, 0.58, 2 / 3, 0.75])
@pytest.mark.parametrize("division", [1, 3, 4, 7, 16])
def test_swung_steps(core: Core, swing: float, division: int) -> None:
    player = player_of_clicks(core, sample_rate=48_000)
    player.lane(5, [Step()] * 7, division=division, swing=swing)
    player.do("tempo", 0, 90.0)
    player.do("start", 1_000, 0)
    ticks = TICKS // division
    late = floor(ticks * (2 * float(np.float32(swing)) - 1) + 0.5)
    expected = [at(k * ticks + late * (k % 2), tempo=90, rate=48_000, first=1_000) for k in range(200)]
    assert onsets(player.process(200_000)) == [time for time in expected if time < 200_000]


@pytest.mark.parametrize("ratchets", range(1, 9))
def test_ratchets_divide_a_step(core: Core, ratchets: int) -> None:
    player = player_of_clicks(core)
    player.lane(0, [Step(ratchets=ratchets), Step(velocity=0)], swing=0.6)
    player.do("start", 0, 0)
    late = floor(TICKS // 4 * (2 * float(np.float32(0.6)) - 1) + 0.5)
    length = TICKS // 4 + late  # to the swung step
    expected = [at(pair * TICKS // 2 + length * k // ratchets) for pair in range(4) for k in range(ratchets)]
    assert onsets(player.process(at(2 * TICKS))) == expected


def test_lanes_of_other_lengths_move_against_each_other(core: Core) -> None:
    player = Player(core)
    for lane, length in enumerate((3, 4, 5)):
        player.sound(lane, 2.0**-lane * click())
        player.lane(lane, [Step()] + [Step(velocity=0)] * (length - 1), voice={"sound": lane, "gain": 0.5})
    player.do("start", 0, 0)
    out = player.process(at(60 * TICKS // 4))[0]
    for step in range(60):
        expected = sum(0.25 * 2.0**-lane for lane, length in enumerate((3, 4, 5)) if step % length == 0)
        assert out[at(step * TICKS // 4)] == pytest.approx(expected, abs=1e-6)


def test_a_tempo_changes_at_the_next_sixteenth_and_nothing_is_lost(core: Core) -> None:
    player = player_of_clicks(core)
    player.lane(0, [Step()] * 16)
    player.do("tempo", 0, 120.0)
    player.do("start", 0, 0)
    tempos = [(30_000, 93.333), (100_000, 187.5), (200_001, 61.2), (350_000, 120.0)]
    for time, tempo in tempos:
        player.do("tempo", time, tempo)
    expected, exact, now, tick = [], Fraction(0), 120.0, 0
    while exact < 600_000:
        for time, tempo in tempos:  # the last one that came before this sixteenth
            now = tempo if time <= floor(exact + Fraction(1, 2)) else now
        expected.append(floor(exact + Fraction(1, 2)))
        exact += Fraction(RATE * 60 * 1_000, round(now * 1_000) * 4)
        tick += 1
    assert onsets(player.process([1_000] * 600)) == [time for time in expected if time < 600_000]
    assert player.state.tempo == 120.0


def test_stop_start_and_seek(core: Core) -> None:
    player = Player(core)
    for slot in range(8):
        player.sound(slot, (slot + 1) / 8 * click())
        player.lane(slot, [Step(velocity=127 if k == slot else 0) for k in range(8)], voice={"sound": slot})
    player.do("start", 0, 3 * TICKS // 4)
    player.do("stop", 12_000)
    player.do("start", 20_000, -1)
    player.do("start", 40_000, 7 * TICKS // 4)
    out = player.process(50_000)[0]
    step = at(TICKS // 4)
    played = {time: round(16 * float(out[time])) - 1 for time in onsets(out[None])}
    first = {0: 3, at(TICKS // 4): 4, at(2 * TICKS // 4): 5}
    resumed = at(3 * TICKS // 4) - 12_000 + 20_000  # the next step, as far after the start as it was from the stop
    assert {time: slot for time, slot in played.items() if time < 12_000} == first
    later = sorted(time for time in played if 20_000 <= time < 40_000)
    assert abs(later[0] - resumed) <= 1
    assert [played[time] for time in later] == [(6 + k) % 8 for k in range(len(later))]
    assert [played[time] for time in (40_000, 40_000 + step)] == [7, 0]
    assert not [time for time in played if 12_000 <= time < 20_000]
    assert player.state.playing == 1


def test_position_is_shown(core: Core) -> None:
    player = Player(core)
    player.do("tempo", 0, 60.0)
    player.do("start", 0, 0)
    player.process(RATE)
    assert (player.state.time, player.state.tick) == (RATE, TICKS)
    player.do("stop", 0)
    player.process(RATE)
    assert (player.state.time, player.state.tick, player.state.playing) == (2 * RATE, TICKS, 0)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.8, 1.0])
def test_chance_is_that_of_the_stream(core: Core, chance: float) -> None:
    """By lane, repetition and step: the same beat for a seed, in any order, and in Python."""
    lane, seed, length = Lane.of(core, length=7), 2**63 + 11, 7
    expected = [
        Noise(seed, Purpose.SEQUENCE, 3, number // length, number % length).uniform(1)[0] < np.float32(chance) for number in range(400)
    ]
    order = np.random.default_rng(0).permutation(400)
    found = {int(number): hit(core, lane, Step(chance=chance), int(number), index=3, seed=seed).played for number in order}
    assert [bool(found[number]) for number in range(400)] == expected
    assert abs(sum(expected) / 400 - chance) < 0.08
    player = player_of_clicks(core)
    player.do("seed", 0, seed)
    player.lane(3, [Step(chance=chance)] * length)
    player.do("start", 0, 5 * TICKS // 4)  # later on: the same steps as from the start
    out = onsets(player.process(at(100 * TICKS // 4)))
    assert out == [at((number - 5) * TICKS // 4) for number in range(5, 105) if expected[number]]


@given(st.integers(0, 4), st.floats(0, 40, width=32), st.integers(1, 64), st.integers(0, 2**64 - 1), st.integers(0, 10_000))
@settings(deadline=None)
def test_walks_stay_within_bounds_and_move_smoothly(core: Core, what: int, depth: float, period: int, seed: int, first: int) -> None:
    lane, step = Lane.of(core), Step(velocity=64)
    lane.voice.decay = 5.0
    lane.voice.start = 10.0
    lane.walks[what] = Walk(depth, period)
    low, high, middle = [(1, 127, 64), (-1, 1, 0), (-24, 24, 0), (0, 3_600, 10), (0.001, 60, 5)][what]
    read: Callable[[Hit], float] = lambda one: (one.velocity, one.pan, one.tune, one.start, one.decay)[what]  # noqa: E731
    values = np.array([read(hit(core, lane, step, first + k, index=1, seed=seed)) for k in range(2 * period)])
    assert (values >= max(low, middle - depth) - 1e-3).all()
    assert (values <= min(high, middle + depth) + 1e-3).all()
    assert np.abs(np.diff(values)).max(initial=0) <= 2 * depth * 1.5 / period + 1e-3
    knot = -(-first // period)
    drawn = Noise(seed, Purpose.SEQUENCE, 1, knot, STEPS + what).uniform(1)[0]
    at_knot = read(hit(core, lane, step, knot * period, index=1, seed=seed))
    assert at_knot == pytest.approx(np.clip(middle + depth * (2 * drawn - 1), low, high), abs=1e-3)


def test_a_lane_plays_its_walks_and_tunes(core: Core) -> None:
    player = player_of_clicks(core)
    player.sound(0, np.full(2_000, 0.25))
    lane = {"walks": (Walk * WALKS)(Walk(60, 3), Walk(0.9, 2)), "swing": 0.5}
    player.lane(0, [Step(velocity=64), Step(velocity=64, tune=12)], **lane)
    player.do("seed", 0, 5)
    player.do("start", 0, 0)
    out = player.process(at(40 * TICKS // 4))
    settings_of = Lane.of(core, length=2, **lane)
    for number in range(39):
        one = hit(core, settings_of, Step(velocity=64, tune=12 * (number % 2)), number, seed=5)
        power = np.square(out[:, at(number * TICKS // 4) + 500].astype(np.float64)).sum()
        assert np.sqrt(power / 2) == pytest.approx(0.25 * (one.velocity / 127) ** 1.5, rel=1e-3)
        end = at(number * TICKS // 4) + (1_000 if number % 2 else 2_000)
        assert np.abs(out[:, end - 20]).max() > 0
        assert not out[:, end + 10 : at((number + 1) * TICKS // 4)].any()


def test_gates_let_go_held_notes(core: Core) -> None:
    player = player_of_clicks(core)
    player.sound(0, np.full(90_000, 0.25))
    player.lane(0, [Step(gate=1.5), *[Step(velocity=0)] * 7], voice={"held": 1, "release": 100 / RATE})
    player.do("start", 0, 0)
    out, end = player.process(at(7 * TICKS // 4))[0], at(3 * TICKS // 8)
    np.testing.assert_allclose(out[:end], 0.25, atol=1e-6)
    assert 0 < out[end + 98] < 0.01
    assert not out[end + 100 :].any()
    player.do("stop", player.state.time + 20_000)
    out = player.process(at(20 * TICKS // 4))[0]
    assert not out[20_000 + 300 :].any()


def test_muted_lanes_play_nothing(core: Core) -> None:
    player = player_of_clicks(core)
    player.lane(0, [Step()] * 4)
    player.lane(0, [Step()] * 4, mute=1, time=at(TICKS))
    player.lane(0, [Step()] * 4, time=at(2 * TICKS) - 1_000)
    player.do("start", 0, 0)
    assert onsets(player.process(at(3 * TICKS))) == [at(k * TICKS // 4) for k in (0, 1, 2, 3, 8, 9, 10, 11)]


def test_settings_change_while_a_pattern_plays(core: Core) -> None:
    """No step is played twice and none is left out, whatever changes between steps."""
    player = player_of_clicks(core)
    player.lane(0, [Step()] * 16)
    for k in range(30):
        player.lane(0, [Step()] * (16 - k % 3), time=at(k * TICKS // 4) + 100 * k)
    player.do("start", 0, 0)
    assert onsets(player.process(at(32 * TICKS // 4))) == [at(k * TICKS // 4) for k in range(32)]


changes = st.lists(
    st.tuples(
        st.integers(0, 60_000),
        st.sampled_from(["lane", "tempo", "stop", "start", "seed", "steps"]),
        st.integers(0, 15),
        st.integers(1, 64),
        st.sampled_from([1, 2, 3, 4, 6, 8, 16]),
        st.floats(10, 999),
        st.floats(0, 1, width=32),
    ),
    max_size=25,
)


@given(changes, st.lists(st.integers(0, 5_000), max_size=30))
@settings(max_examples=40, deadline=None)
def test_blocks_of_any_length_give_the_same_samples(
    core: Core, played: list[tuple[int, str, int, int, int, float, float]], blocks: list[int]
) -> None:
    outs = []
    for lengths in ([65_536], [*blocks, max(0, 65_536 - sum(blocks))]):
        player = Player(core, voices=8)
        player.sound(0, np.random.default_rng(0).uniform(-1, 1, 3_000) * np.linspace(1, 0, 3_000))
        for lane in range(0, LANES, 3):
            steps = [Step(20 + (7 * k) % 100, 0.5 + 0.5 * (k % 2), k % 5, 0.5, 1 + k % 3) for k in range(5 + lane)]
            player.lane(lane, steps, swing=0.6, voice={"held": lane % 2}, walks=(Walk * WALKS)(*[Walk(0.3, 3)] * WALKS))
        player.do("start", 0, 0)
        for time, what, lane, length, division, tempo, chance in played:
            if what in ("lane", "steps"):
                player.lane(lane, [Step(100, chance)] * length, time=time, division=division, swing=0.5 + chance / 4)
            else:
                player.do(what, time, *{"tempo": [tempo], "stop": [], "start": [length * 1_000], "seed": [length]}[what])
        outs.append(player.process(lengths)[:, :65_536])
    shortest = min(out.shape[1] for out in outs)
    np.testing.assert_array_equal(outs[0][:, :shortest], outs[1][:, :shortest])
    assert np.abs(outs[0]).max() <= 1


def test_arguments_out_of_range(core: Core) -> None:
    player, lane = Player(core), Lane.of(core)
    wrong = [("length", 0), ("length", 65), ("division", 0), ("division", 11), ("division", 17), ("mute", 2), ("level", -1), ("swing", 0.4)]
    for name, value in [*wrong, ("swing", np.nan)]:
        assert player.call("lane", 0, 0, Lane.of(core, **{name: value})) == ARGUMENT
    for index, what in [(-1, lane), (16, lane)]:
        assert player.call("lane", 0, index, what) == ARGUMENT
    steps = [
        Step(velocity=-1),
        Step(velocity=0.5),
        Step(velocity=128),
        Step(chance=1.1),
        Step(chance=np.nan),
        Step(gate=-1),
        Step(ratchets=9),
    ]
    for step in steps:
        assert player.call("steps", 0, 0, 0, 1, step) == ARGUMENT
    for first, count in [(-1, 1), (64, 1), (0, 65), (2**31 - 1, 2), (0, -1)]:
        assert player.call("steps", 0, 0, first, count, (Step * 65)()) == ARGUMENT
    for tempo in (9.9, 1_000.0, np.nan, np.inf):
        assert player.call("tempo", 0, tempo) == ARGUMENT
    for tick in (-2, 2**41):
        assert player.call("start", 0, tick) == ARGUMENT
    assert core("ts_lane_hit", ctypes.byref(lane), 16, ctypes.byref(Step()), 0, 0, ctypes.byref(Hit())) == ARGUMENT
