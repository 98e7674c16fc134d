"""MIDI files that play without a clock: started, stopped and continued, and played to their end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.live.fake_engine import FakeEngine

from timbrespace.cli.play.sources import TAIL, Playing
from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.midi.file import MidiFile, Timed
from timbrespace.live.osc.feedback import Feedback
from timbrespace.live.performance import Performance
from timbrespace.live.walk.song import MidiFileSource
from timbrespace.web.playing.facts import facts_of

RATE = 48_000
SILENCE, PULSE, START, CONTINUE, STOP = Action("all_sound_off"), b"\xf8", b"\xfa", b"\xfb", b"\xfc"
# eight quarter notes with the pedal, 120 beats a minute for four of them, then 60: 6 s
TEMPOS = ((0.0, 0.0, 0.5), (4.0, 2.0, 1.0))
BEATS = [(float(beat), bytes((0x90, 60 + beat, 100))) for beat in range(8)]
ENDS = [(beat + 0.75, bytes((0x80, 60 + int(beat), 0))) for beat, _ in BEATS]
FIRST = MidiFile((), 6.0, 8.0, (), TEMPOS)
EVENTS = sorted([*BEATS, *ENDS, (0.5, b"\xb0\x40\x7f"), (8.0, b"\xb0\x40\x00")])
FILE = MidiFile(tuple(Timed(FIRST.seconds_of(beat), beat, message) for beat, message in EVENTS), 6.0, 8.0, (), TEMPOS)


def song(**options: Any) -> MidiFileSource:
    return MidiFileSource(FILE, Conductor(FakeEngine(), say=print), sample_rate=RATE, **options)


def moved(timed: list[tuple[int, Action]], samples: int) -> list[tuple[int, Action]]:
    return [(sample + samples, action) for sample, action in timed]


def sent(timed: list[tuple[int, Action]]) -> list[tuple[int, bytes]]:
    return [(sample, action.values[0]) for sample, action in timed if action.name == "clock_out"]


def test_a_file_is_stopped_continued_and_started_again() -> None:
    whole = song().advance(7 * RATE)
    one = song()
    assert one.advance(100_001) == [timed for timed in whole if timed[0] <= 100_000]
    assert (one.playing, one.tempo, one.end) == (True, 60.0, 6 * RATE)
    one.transport("stop")
    one.transport("stop")
    assert one.advance(200_000) == [(100_001, SILENCE)]
    assert (one.playing, one.tempo, one.end) == (False, 60.0, None)
    assert one.advance(10**9) == []  # it waits, however long
    one.transport("continue")
    one.transport("continue")
    assert one.advance(10**9 + 50_000) == moved([timed for timed in whole if 100_000 < timed[0] < 150_001], 10**9 - 100_001)
    one.transport("start")
    first, *again = one.advance(2 * 10**9)
    assert first == (10**9 + 50_000, SILENCE)
    resets = len(again) - len(whole)
    assert (10**9 + 50_000, Action("sustain", (False,), 0)) in again[:resets]  # the pedal of the middle
    assert again[resets:] == moved(whole, 10**9 + 50_000)
    assert (one.playing, one.end) == (False, 10**9 + 50_000 + 6 * RATE)
    one.transport("continue")
    assert one.advance(2 * 10**9 + 1) == []  # nothing is left
    one.transport("stop")
    assert one.advance(2 * 10**9 + 2) == [(2 * 10**9 + 1, SILENCE)]
    assert one.end == 10**9 + 50_000 + 6 * RATE


@pytest.mark.parametrize("stop", [1, 12_000, 23_500, 24_001, 120_001, 280_001])
def test_who_follows_the_clock_of_a_file_is_at_its_place_after_it_went_on(stop: int) -> None:
    """A follower counts pulses from the start, or from the song position while it was continued, as the MIDI standard has it."""
    one = song(sends_clock=True)
    timed = sent(one.advance(stop))
    one.transport("stop")
    timed += sent(one.advance(300_000))
    assert timed[-1] == (stop, STOP)
    one.transport("continue")
    timed += sent(one.advance(10**6))
    place, plays, found = 0, False, {}
    for sample, message in timed:
        if message[:1] == b"\xf2":
            place = 6 * (message[1] + 128 * message[2])
        elif message == PULSE:
            found.update({place: sample} if plays else {})
            place += plays
        else:
            plays = message != STOP
            place = 0 if message == START else place
    shift = {True: 0, False: 300_000 - stop}
    expected = {number: round(FILE.seconds_of(number / 24) * RATE) for number in range(8 * 24)}
    assert found == {number: sample + shift[sample < stop] for number, sample in expected.items() if number in found}
    assert len(expected) - len(found) < 6  # up to the next sixteenth
    assert sum(message == PULSE for _, message in timed) == len(expected)


def test_the_conductor_the_page_and_osc_know_a_file() -> None:
    said: list[str] = []
    conductor = Conductor(FakeEngine(), say=said.append)
    one = conductor.walk = MidiFileSource(FILE, conductor, sample_rate=RATE)
    facts = facts_of([], walk=one)["walk"]
    assert facts == {"title": "MIDI file", "settings": {}, "clocked": False}
    feedback = Feedback()
    one.advance(RATE)
    feedback.look(one)
    assert feedback.changed() == [("/walk/tempo", (120.0,)), ("/walk/playing", (1,))]
    conductor.carry_out([Action("transport", ("stop",))])
    assert (one.advance(RATE), one.playing, said) == ([(RATE, SILENCE)], False, [])
    conductor.carry_out([Action("walk_speed", (1.0,))])
    assert "no speed" in said[0]
    with pytest.raises(ConfigError, match="no tempo"):
        one.steer("tempo", 100)


def test_playing_ends_when_the_file_was_played_to_its_end() -> None:
    engine = FakeEngine()
    engine.sample_rate = RATE  # type: ignore[attr-defined]
    conductor = Conductor(engine, say=print)
    now = [0]
    engine.state = lambda: SimpleNamespace(time=now[0])  # type: ignore[method-assign, assignment, return-value]
    one = MidiFileSource(FILE, conductor, sample_rate=RATE)
    conductor.walk = one
    playing = Playing(Performance(conductor, one), 6.0, song=one)

    def ends_after(seconds: float) -> bool:
        now[0] += round(seconds * RATE)
        playing.performance.follow()
        return playing.ended()

    assert not any(ends_after(seconds) for seconds in (0, 1.0, 1.0))
    one.transport("stop")
    assert not any(ends_after(seconds) for seconds in (0.01, 100.0, 100.0))
    one.transport("continue")
    assert not any(ends_after(seconds) for seconds in (0.01, 4.0, TAIL - 0.2))
    assert ends_after(0.3)
    assert not Playing(playing.performance).ended()
