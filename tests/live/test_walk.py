"""Walks: bounds, values that wander, chains over MIDI files, and endless actions that can be repeated."""

from __future__ import annotations

import itertools
import resource
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.mapping.targets import WALK_TARGETS
from timbrespace.live.midi.file import MidiFile, Timed
from timbrespace.live.performance import Performance
from timbrespace.live.walk.bounds import Playable, parse_bounds
from timbrespace.live.walk.chain import Chain, states_of
from timbrespace.live.walk.rhythm import TICKS, Rhythm, Scheduler
from timbrespace.live.walk.song import MidiFileSource
from timbrespace.live.walk.walk import Walk
from timbrespace.live.walk.wander import Wander

RATE = 48_000
DRUMS = Playable((35, 36, 38, 42, 44, 46, 49, 56), False, 0, 0, 8, 16, {"brightness": (-1.0, 1.0), "decay": (-1.0, 1.0)})
NOTES = Playable((60,), True, 40.0, 76.0, 8, 16, {"brightness": (-1.0, 1.0)})


class SilentEngine(FakeEngine):
    """A fake engine that renders silence. calls: each with the sample at which it came."""

    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        self.sample = 0

    def render(self, frames: int) -> np.ndarray:
        self.sample += frames
        return np.zeros((frames, 2), np.float32)


def walk(kind: str = "kits", **options: Any) -> Walk:
    return Walk(DRUMS if kind == "kits" else NOTES, kind, sample_rate=RATE, **options)


def file_of(notes: list[tuple[float, int, float]], *, channel: int = 0, tempo: float = 120.0) -> MidiFile:
    """A file of notes: beat, pitch, length in beats."""
    events = sorted(
        [(beat, bytes((0x90 | channel, note, 100))) for beat, note, _ in notes]
        + [(beat + length, bytes((0x80 | channel, note, 0))) for beat, note, length in notes],
        key=lambda event: event[0],
    )
    beats = events[-1][0]
    return MidiFile(tuple(Timed(beat * 60 / tempo, beat, message) for beat, message in events), beats * 60 / tempo, beats)


# --- bounds ------------------------------------------------------------------------------------------------------


def test_bounds_have_the_names_of_axes() -> None:
    found = {str(bound.target): (bound.low, bound.high) for bound in parse_bounds("pc1=-2:2, brightness=0:1.5,z3=-1:1", DRUMS)}
    assert found == {"pc1": (-2.0, 2.0), "brightness": (0.0, 1.5), "z3": (-1.0, 1.0)}
    assert [str(bound.target) for bound in parse_bounds("-1:1", DRUMS)] == ["pc1", "pc2", "pc3", "pc4"]
    assert {(bound.low, bound.high) for bound in parse_bounds(None, DRUMS)} == {(-1.5, 1.5)}
    without = Playable((36,), False, 0, 0, 0, 3, {})
    assert [str(bound.target) for bound in parse_bounds(None, without)] == ["z1", "z2", "z3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pc1", "is no range"), ("pc1=2:1", "is no range"), ("pc1=1..2:3", "is no range"), ("pc1=nan:1", "is no range"),
        ("z17=0:1", "16 latents"), ("sweetness=0:1", "controls of this instrument are brightness, decay"), ("pc9=0:1", "pc9; this"),
        ("map x=0:1", "a walk moves latents"),
        ("pc1=-9:9", "allowed is -4 to 4"), ("=0:1,pc1=", "is no range"),
    ],
)  # fmt: skip
def test_bad_bounds_are_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_bounds(text, DRUMS)


# --- values that wander ------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**63 - 1), steps=st.lists(st.floats(0, 100), max_size=30), spread=st.floats(0, 1), centre=st.floats(-9, 9))
@settings(deadline=None, max_examples=50)
def test_values_stay_within_bounds_however_they_are_steered(seed: int, steps: list[float], spread: float, centre: float) -> None:
    bounds = parse_bounds("pc1=-2:2,brightness=0:1.5", DRUMS)
    wander = Wander(bounds, seed)
    wander.spread = spread
    wander.centre(Action("set_axis", (0, centre)))
    for beats in steps:
        wander.advance(beats)
        for bound, value in zip(bounds, wander.values(), strict=True):
            assert bound.low <= value <= bound.high


def test_a_walk_is_smooth_covers_its_bounds_and_forgets() -> None:
    bounds = parse_bounds("-1:1", DRUMS)
    wander = Wander(bounds, 5)
    rows = []
    for _ in range(40_000):
        wander.advance(0.25)
        rows.append(wander.values())
    values = np.array(rows)
    assert np.abs(np.diff(values, axis=0)).max() < 2 * 1.5 * 0.25 / 16 + 1e-9  # the steepest slope of the curve between two knots
    assert (values.min(0) < -0.9).all()
    assert (values.max(0) > 0.9).all()
    assert np.abs(values.mean(0)).max() < 0.15
    assert len(wander._knots) < 50


def test_speed_0_stands_still_and_spread_0_is_the_centre() -> None:
    wander = Wander(parse_bounds("pc1=0:2", DRUMS), 1)
    wander.advance(30)
    wander.speed = 0.0
    before = wander.values()
    wander.advance(100)
    assert wander.values() == before
    wander.spread = 0.0
    assert wander.values() == [1.0]
    assert wander.centre(Action("set_axis", (0, 0.5)))
    assert wander.values() == [0.5]
    assert not wander.centre(Action("set_axis", (1, 0.5)))


# --- chains ------------------------------------------------------------------------------------------------------

NOTES_STRATEGY = st.lists(
    st.tuples(st.integers(0, 64).map(lambda k: k / 4), st.integers(40, 44), st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=40,
    unique_by=lambda note: note[:2],
)  # fmt: skip


@given(notes=NOTES_STRATEGY, seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_every_step_of_a_chain_is_in_its_file(notes: list[tuple[float, int, float]], seed: int) -> None:
    chain = Chain(file_of(notes), drums=False, seed=seed)
    names = [state.name for state in chain.states]
    known = set(itertools.pairwise([*names, names[0]]))
    played = [chain.next().name for _ in range(100)]
    assert played[0] in names
    assert set(itertools.pairwise(played)) <= known


def test_a_chain_recombines_where_its_file_repeats_itself() -> None:
    song = [(beat, note, 0.5) for beat, note in enumerate([60, 62, 64, 60, 62, 67, 60, 62, 64, 65])]
    chain = Chain(file_of(song), drums=False, seed=4)
    played = [chain.next().notes[0].note for _ in range(2000)]
    after = {following for two, one, following in zip(played, played[1:], played[2:], strict=False) if (two, one) == (60, 62)}
    assert after == {64, 67}
    assert played[:10] != [60, 62, 64, 60, 62, 67, 60, 62, 64, 65] * 1 or played[10:20] != played[:10]


def test_chords_lengths_tempo_and_drums_of_a_file() -> None:
    song = file_of([(0, 60, 1.0), (0.01, 64, 0.5), (1, 67, 2.0)], tempo=90)
    first, second = states_of(song, drums=False)
    assert [(played.note, played.length) for played in first.notes] == [(60, 1.0), (64, 0.5)]
    assert first.gap == 1.0
    assert second.gap == 2.0  # to the end of the file, where it begins again
    assert Chain(song, drums=False, seed=0).tempo == pytest.approx(90)
    both = MidiFile((*song.messages, *file_of([(0, 36, 1)], channel=9).messages), 2.0, 3.0)
    assert [played.note for state in states_of(both, drums=True) for played in state.notes] == [36]
    assert 36 not in [played.note for state in states_of(both, drums=False) for played in state.notes]
    with pytest.raises(ConfigError, match="has no notes"):
        Chain(MidiFile((), 1.0, 1.0), drums=True, seed=0)


# --- rhythms -----------------------------------------------------------------------------------------------------


def test_rhythms_are_those_of_the_scheduler() -> None:
    scheduler = Scheduler()
    assert scheduler.euclid(3, 8) == 0b01001001
    rhythm = Rhythm(8, 3, velocity=100, depth=0, swing=2 / 3)
    hits = [scheduler.hit(0, rhythm, 1, number) for number in range(8)]
    assert [hit is not None for hit in hits] == [True, False, False, True, False, False, True, False]
    third = hits[3]
    assert third is not None
    assert third.tick == round((2 + 2 * 2 / 3) * TICKS / 4)  # the second one of a pair comes at two thirds of it
    assert third.velocity == 100
    played = sum(scheduler.hit(0, Rhythm(1, 1, chance=0.25), 7, number) is not None for number in range(4000))
    assert 880 < played < 1120
    scheduler.close()


# --- whole walks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kits", "notes"])
def test_the_same_walk_again_however_it_is_asked_for(kind: str) -> None:
    one, other, third = walk(kind, seed=9), walk(kind, seed=9), walk(kind, seed=10)
    whole = one.advance(60 * RATE)
    pieces = [timed for end in range(0, 60 * RATE + 1, 7_777) for timed in other.advance(end)] + other.advance(60 * RATE)
    assert pieces == whole
    assert third.advance(60 * RATE) != whole
    times = [sample for sample, _ in whole]
    assert times == sorted(times)
    assert times[-1] < 60 * RATE


def test_kits_strike_pads_of_the_instrument_on_the_grid() -> None:
    played = [timed for timed in walk(tempo=120).advance(32 * RATE) if timed[1].name == "pad"]
    kicks = [sample for sample, action in played if action.values[0] in (0, 1)]
    assert {action.values[0] for _, action in played} <= set(range(8))
    assert len({action.values[0] for _, action in played}) >= 4
    assert all(sample % (RATE // 8) < RATE // 16 for sample in kicks)  # sixteenths at 120 beats a minute, with swing
    assert all(1 <= action.values[1] <= 127 for _, action in played)


def test_notes_stay_within_the_range_and_are_let_go() -> None:
    one = walk("notes", seed=2)
    actions = [action for _, action in one.advance(300 * RATE)]
    started = [action.values[0] for action in actions if action.name == "note_on"]
    assert min(started) >= 40
    assert max(started) <= 76
    assert len(set(started)) > 8
    ended = sum(action.name == "note_off" for action in actions)
    assert 0 <= len(started) - ended <= 6


def test_a_file_is_recombined_at_its_tempo() -> None:
    song = file_of([(0, 36, 0.5), (1, 38, 0.5), (2, 36, 0.5), (2.5, 36, 0.5), (3, 38, 1.0)], channel=9, tempo=100)
    one = walk(file=song)
    assert one.tempo == pytest.approx(100)
    timed = [(sample, action.values[0]) for sample, action in one.advance(600 * RATE) if action.name == "note_on"]
    assert {note for _, note in timed} == {36, 38}
    gaps = {round((after - before) / (RATE * 0.6), 2) for (before, _), (after, _) in itertools.pairwise(timed)}
    assert gaps == {0.5, 1.0}


def test_a_walk_is_steered_while_it_plays() -> None:
    one = walk(seed=1)
    one.steer("density", 0.0)
    assert not [action for _, action in one.advance(20 * RATE) if action.name == "pad"]
    one.steer("density", 1.0)
    usual = len([action for _, action in one.advance(40 * RATE) if action.name == "pad"])
    one.steer("density", 2.0)
    assert len([action for _, action in one.advance(60 * RATE) if action.name == "pad"]) > usual
    for name, value in (("tempo", 5), ("speed", -1), ("spread", float("nan")), ("colour", 1)):
        with pytest.raises(ConfigError, match="settings are speed"):
            one.steer(name, value)
    assert {"speed", "spread", "density", "tempo"} == set(WALK_TARGETS)


def test_what_the_user_sets_becomes_the_centre_and_a_mapping_steers() -> None:
    engine = SilentEngine()
    one = walk(bounds="pc1=-2:2")
    conductor = Conductor(engine, say=print, walk=one)
    conductor.put([Action("walk_spread", (0.0,)), Action("set_axis", (0, 1.25)), Action("set_axis", (5, 1.0))])
    list(Performance(conductor, one).render(RATE))
    set_to = [call[2] for call in engine.calls if call[:2] == ("set_axis", 0)]
    assert set(set_to) == {1.25}
    assert engine.calls.count(("set_axis", 5, 1.0)) == 1


def test_events_come_at_their_samples_whatever_is_rendered_at_once() -> None:
    def calls(pieces: list[int]) -> list[tuple[int, Any]]:
        engine, seen = SilentEngine(), []
        one = walk(seed=3)
        conductor = Conductor(engine, say=print, walk=one, done=[lambda action: seen.append((engine.sample, action))])
        playing = Performance(conductor, one)
        for frames in pieces:
            assert sum(len(block) for block in playing.render(frames)) == frames
        return seen

    whole = calls([10 * RATE])
    assert whole == calls([1, 63, 64, 65, 512, 4096, 10 * RATE - 4801])
    assert whole == walk(seed=3).advance(10 * RATE)


def test_a_midi_file_is_played_at_its_samples() -> None:
    song = file_of([(0, 60, 1.0), (1.5, 64, 0.5)], tempo=60)
    engine, seen = SilentEngine(), []
    conductor = Conductor(engine, say=print, done=[lambda action: seen.append((engine.sample, action.name, action.values[0]))])
    source = MidiFileSource(song, conductor, sample_rate=RATE)
    list(Performance(conductor, source).render(source.samples + 1))
    assert seen == [
        (0, "note_on", 60), (RATE, "note_off", 60), (RATE * 3 // 2, "note_on", 64), (2 * RATE, "note_off", 64),
    ]  # fmt: skip


@pytest.mark.slow  # 8 hours of music
def test_hours_take_no_more_memory_than_minutes() -> None:
    """A walk over a file for eight hours, and patterns for half an hour, without their sounds: actions are counted and dropped."""
    song = file_of([(beat / 2, 36 + beat % 5, 0.5) for beat in range(64)], channel=9)
    for one, minutes in ((walk(seed=1, file=song), 480), (walk(seed=1), 30)):
        count = before = 0
        for minute in range(1, minutes + 1):
            count += len(one.advance(minute * 60 * RATE))
            if minute == 10:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert count > 400 * minutes
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000  # kB


@pytest.mark.parametrize(
    ("kind", "instrument", "says"), [("songs", DRUMS, "allowed are kits and notes"), ("notes", DRUMS, "needs an instrument of notes")]
)
def test_walks_that_cannot_be_are_refused(kind: str, instrument: Playable, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Walk(instrument, kind, sample_rate=RATE)
