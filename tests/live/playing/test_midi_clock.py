"""A MIDI clock: tempo and place from pulses with jitter, start, stop, continue, song position, and what walks play by it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.fake_engine import FakeEngine

from timbrespace.cli.play.inputs import InputOptions
from timbrespace.cli.play.sources import SourceOptions
from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.clock.audio_time import AudioTime
from timbrespace.live.clock.follower import Follower, Phase
from timbrespace.live.clock.pulses import Pulses
from timbrespace.live.clock.source import ClockedSource
from timbrespace.live.conductor import Conductor
from timbrespace.live.midi.file import MidiFile, Timed
from timbrespace.live.midi.parser import MidiParser
from timbrespace.live.midi.stamps import Stamps
from timbrespace.live.performance import Performance
from timbrespace.live.walk.beats import FileBeats
from timbrespace.live.walk.bounds import Playable
from timbrespace.live.walk.walk import Walk

RATE = 48_000
DRUMS = Playable((35, 36, 38, 42, 44, 46, 49, 56), False, 0, 0, 8, 16, {})
NOTES = Playable((60,), True, 40.0, 76.0, 8, 16, {})
PULSE, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
Messages = list[tuple[float, bytes]]


def grid(*parts: tuple[float, int]) -> np.ndarray:
    """Times of pulses: tempo and number of each part."""
    gaps = np.concatenate([np.full(count, 60 / tempo / 24) for tempo, count in parts])
    return np.concatenate([[0.0], np.cumsum(gaps)])[:-1]


def jittered(times: np.ndarray, jitter: float, seed: int = 0) -> np.ndarray:
    """Times as they arrive: up to `jitter` s off, in order."""
    return np.maximum.accumulate(times + np.random.default_rng(seed).uniform(-jitter, jitter, len(times)))


def ahead(times: np.ndarray, arrivals: np.ndarray, seconds: float = 0.03) -> tuple[np.ndarray, Pulses]:
    """How far off the time of each pulse is found, in ms, so long before it; and what found it."""
    pulses, out, at = Pulses(), [], 0
    for number, time in enumerate(times):
        while at < len(arrivals) and arrivals[at] < time - seconds:
            pulses.add(arrivals[at])
            at += 1
        out.append(1000 * (pulses.time_of(number) - time))
    for arrival in arrivals[at:]:
        pulses.add(arrival)
    return np.abs(out), pulses


class SilentEngine(FakeEngine):
    """Renders silence, and knows its sample."""

    sample_rate, sample = RATE, 0

    def render(self, frames: int) -> np.ndarray:
        self.sample += frames
        return np.zeros((frames, 2), np.float32)


def play(messages: Messages, seconds: float, blocks: list[int] | None = None, played: Any = None, **options: Any) -> Any:
    """What is carried out, each with its sample; and what was said."""
    engine, seen, said = SilentEngine(), [], []
    conductor = Conductor(engine, say=said.append, done=[lambda action: seen.append((engine.sample, action))])
    kind = options.pop("kind", "kits")
    walk = played or Walk(DRUMS if kind == "kits" else NOTES, kind, sample_rate=RATE, seed=3, **options)
    follower = Follower()
    source = ClockedSource(walk, follower, sample_rate=RATE, say=said.append)
    conductor.walk = source
    for time, message in messages:
        follower.receive(message, time)
    playing, left, turn = Performance(conductor, source), round(seconds * RATE), 0
    while left > 0:
        frames = min((blocks or [left])[turn % len(blocks or [left])], left)
        assert sum(len(block) for block in playing.render(frames)) == frames
        left, turn = left - frames, turn + 1
    return seen, said


def clock(times: np.ndarray, start: float, *, count_in: int = 0, tempo: float = 120.0) -> Messages:
    """Pulses that begin at a time, and the start before the one after `count_in`."""
    messages = [(float(start + time), PULSE) for time in times]
    return [*messages[:count_in], (messages[count_in][0] - 0.001, START), *messages[count_in:]]


def hits(seen: list[tuple[int, Action]]) -> list[tuple[int, Action]]:
    return [one for one in seen if one[1].name in ("pad", "note_on")]


def of_own_tempo(tempo: float, beats: float, kind: str = "kits") -> list[tuple[int, Action]]:
    walk = Walk(DRUMS if kind == "kits" else NOTES, kind, sample_rate=RATE, seed=3, tempo=tempo)
    return hits(walk.advance(round(beats * 60 / tempo * RATE)))


# --- pulses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tempo", [20, 61.7, 120, 174, 300])
@pytest.mark.parametrize("jitter", [0.0, 0.001, 0.003])
def test_jitter_of_a_steady_clock_is_averaged(tempo: float, jitter: float) -> None:
    times = grid((tempo, 24 * 20))
    off, pulses = ahead(times, jittered(times, jitter))
    assert np.median(off[96:]) < 0.15 * 1000 * jitter + 1e-6
    assert np.percentile(off[96:], 95) < 0.35 * 1000 * jitter + 1e-6
    assert pulses.last == len(times) - 1
    assert pulses.dropped == pulses.doubled <= (1 if tempo == 300 else 0)  # jitter of a third of a pulse may look so
    assert pulses.tempo == pytest.approx(tempo, rel=1e-9 if not jitter else 0.004)


@pytest.mark.parametrize("jitter", [0.0, 0.001, 0.003])
@pytest.mark.parametrize(("before", "after"), [(120, 140), (140, 120), (120, 60), (60, 120), (90, 180), (100, 300), (120, 80), (20, 300)])
def test_a_jump_of_the_tempo_is_found_within_a_beat(before: float, after: float, jitter: float) -> None:
    times = grid((before, 24 * 8), (after, 24 * 8))
    off, pulses = ahead(times, jittered(times, jitter))
    # A pulse more or less is not known while it is on its way: from the second beat of the new tempo on.
    assert off[24 * 9 :].max() < 2 + 1000 * jitter
    assert pulses.last == len(times) - 1
    assert pulses.tempo == pytest.approx(after, rel=0.005)


def test_a_ramp_is_followed() -> None:
    tempos = np.linspace(100, 140, 24 * 32)
    times = np.concatenate([[0.0], np.cumsum(60 / tempos / 24)])
    off, pulses = ahead(times, jittered(times, 0.001))
    assert np.median(off[48:]) < 1
    assert np.percentile(off[48:], 95) < 2
    assert pulses.last == len(times) - 1


@pytest.mark.parametrize("jitter", [0.0, 0.002])
def test_pulses_that_lack_or_come_twice_do_not_move_the_beat(jitter: float) -> None:
    times = grid((125, 24 * 12))
    arrivals = jittered(times, jitter)
    odd = np.delete(arrivals, [50, 99, 150, 151, 200])  # two of them one after the other
    odd = np.sort(np.concatenate([odd, odd[[30, 70, 120]] + 0.0005]))
    late = odd.copy()
    late[180] = late[181]  # one late by a whole pulse
    for heard in (odd, late):
        off, pulses = ahead(times, heard)
        assert off[96:].max() < 0.5 + 1000 * jitter
        assert pulses.last == len(times) - 1
    _, pulses = ahead(times, odd)
    assert (pulses.dropped, pulses.doubled) == (5, 3)


def test_a_flood_is_no_tempo() -> None:
    pulses = Pulses()
    for number in range(20_000):
        pulses.add(number / 10_000)
    assert pulses.tempo == pytest.approx(120)
    assert pulses.last == 0


def test_the_samples_of_blocks_are_those_of_the_time() -> None:
    """A device that is asked every 5 ms, with blocks of 21 ms, whose clock is 100 ppm fast."""
    rate, real, block = 48_000, 48_000 * 1.0001, 1024
    time = AudioTime(rate, latency=0.03)
    rng = np.random.default_rng(1)
    for step in range(4000):
        now = 1e5 + step * 0.005 + rng.uniform(0, 0.002)
        time.observe(int((now - 1e5) * real // block * block), now)
    now = 1e5 + 20.0
    assert abs(time.sample_at(now) - ((now - 1e5 - 0.03) * real - block)) / rate < 0.003
    assert time.seconds_at(time.sample_at(now)) == pytest.approx(now, abs=1e-9)


def test_times_of_a_driver_do_not_wait_for_python() -> None:
    """Python gets each message late, by up to 12 ms; the driver's own clock goes 50 ppm wrong, and once it is nonsense."""
    times, rng, stamps = grid((120, 600)), np.random.default_rng(2), Stamps()
    late = np.maximum.accumulate(100 + times + 0.0005 + rng.gamma(1.0, 0.003, len(times)).clip(max=0.012))
    found = [stamps.at(0.0 if not at else (times[at] - times[at - 1]) * 1.00005, late[at]) for at in range(len(times))]
    error = np.array(found) - 100 - times
    assert np.abs(np.diff(error[50:])).max() < 0.001
    assert 0 < error[50:].mean() < 0.002
    for nonsense in (-1.0, float("nan"), float("inf"), 5.0):
        stamps.at(nonsense, 200.0)
        assert stamps.at(0.02, 200.025) <= 200.025
        assert stamps.at(0.02, 200.045) == pytest.approx(200.04, abs=0.006)


# --- a song ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kits", "notes"])
def test_a_walk_by_a_clock_plays_what_it_plays_by_its_own_tempo(kind: str) -> None:
    tempo, count_in = 128.0, 48
    times = grid((tempo, count_in + 24 * 16))
    seen, _ = play(clock(times, 0.5, count_in=count_in), 12, kind=kind)
    begin = round((0.5 + times[count_in]) * RATE)
    own = of_own_tempo(tempo, 15, kind)
    found = hits(seen)[: len(own)]
    assert [action for _, action in found] == [action for _, action in own]
    assert max(abs(ours - begin - theirs) for (ours, _), (theirs, _) in zip(found, own, strict=True)) <= 1


def test_jitter_is_not_heard() -> None:
    tempo, count_in = 120.0, 96
    times = grid((tempo, count_in + 24 * 32))
    messages = clock(jittered(times, 0.003), 0.5, count_in=count_in)
    begin = (0.5 + times[count_in]) * RATE
    own = of_own_tempo(tempo, 31)
    found = hits(play(messages, 19)[0])[: len(own)]
    off = np.array([ours - begin - theirs for (ours, _), (theirs, _) in zip(found, own, strict=True)]) / RATE
    assert np.percentile(np.abs(off), 95) < 0.0012
    assert np.abs(np.diff(off)).max() < 0.002  # between neighbours, where the clock's own are up to 6 ms


def test_events_are_the_same_whatever_is_rendered_at_once() -> None:
    times = grid((100, 24 * 3), (150, 24 * 3))
    stop = float(0.2 + times[-1] + 0.01)
    messages = [
        *clock(jittered(times, 0.002), 0.2, count_in=30), (stop, STOP), (stop + 0.2, b"\xf2\x08\x00"), (stop + 0.3, CONTINUE),
        *[(float(stop + 0.4 + time), PULSE) for time in grid((110, 60))],
    ]  # fmt: skip
    whole = play(messages, 8, kind="notes")[0]
    assert len(hits(whole)) > 20
    assert [action.name for _, action in whole].count("all_sound_off") == 1
    for blocks in ([64], [4096], [1, 63, 64, 65, 512, 7_777]):
        assert play(messages, 8, blocks, kind="notes")[0] == whole


def test_stop_ends_what_sounds_and_continue_goes_on() -> None:
    tempo = 120.0
    times = grid((tempo, 24 * 8))
    half = 24 * 4
    stop, again = float(times[half - 1]) + 0.004, 5.0
    messages = [
        (0.0, START), *[(float(time), PULSE) for time in times[:half]], (stop, STOP), (again, CONTINUE),
        *[(again + 0.01 + float(time), PULSE) for time in grid((tempo, 24 * 4))],
    ]  # fmt: skip
    seen, said = play(messages, 7.5)
    silences = [sample for sample, action in seen if action.name == "all_sound_off"]
    assert silences == [round(stop * RATE)]
    assert not [sample for sample, _ in seen if round(stop * RATE) < sample < again * RATE]
    own = of_own_tempo(tempo, 7)
    found = hits(seen)[: len(own)]
    assert [action for _, action in found] == [action for _, action in own]
    shift = round((again + 0.01 - float(times[half])) * RATE)
    late = [ours - theirs for (ours, _), (theirs, _) in zip(found, own, strict=True)]
    assert set(late[-8:]) <= {shift - 1, shift, shift + 1}
    assert said == ["the MIDI clock starts at the beginning", "the MIDI clock stopped; start begins again, continue goes on"]


@pytest.mark.parametrize("kind", ["kits", "notes"])
@pytest.mark.parametrize("sixteenths", [3, 64, 300])
def test_a_song_position_has_the_music_of_that_place(kind: str, sixteenths: int) -> None:
    tempo, begin = 120.0, 1.0
    pulses = [(begin + float(time), PULSE) for time in grid((tempo, 24 * 6))]
    messages = [(0.5, bytes((0xF2, sixteenths & 127, sixteenths >> 7))), (0.9, CONTINUE), *pulses]
    found = hits(play(messages, begin + 2, kind=kind)[0])
    skipped = round(sixteenths / 8 * RATE)
    own = [(sample - skipped, action) for sample, action in of_own_tempo(tempo, sixteenths / 4 + 4, kind) if sample >= skipped]
    assert len(own) > 5
    assert [action for _, action in found[: len(own)]] == [action for _, action in own]
    assert abs(found[0][0] - round(begin * RATE) - own[0][0]) <= 1
    # The same place after it had been played past, and while the clock runs.
    far = [(0.2, START), *[(0.25 + float(time), PULSE) for time in grid((300, 24 * 90))]]
    back = 0.25 + float(grid((300, 24 * 90))[-1]) + 0.01
    again = [*far, (back, messages[0][1]), *[(back + 0.02 + float(time), PULSE) for time in grid((tempo, 24 * 6))]]
    later = [action for sample, action in hits(play(again, back + 2, kind=kind)[0]) if sample >= round(back * RATE)]
    assert later[: len(own) - 8] == [action for _, action in own][: len(own) - 8]


def test_a_clock_that_is_lost_is_waited_for() -> None:
    times = grid((120, 24 * 4))
    messages = [*clock(times, 0.0), *[(5.0 + float(time), PULSE) for time in times]]
    seen, said = play(messages, 8, kind="notes")
    started = hits(seen)
    gap = [sample / RATE for sample, _ in started if 2.0 < sample / RATE < 5.0]
    assert max(gap, default=2.0) < 2.3  # a sixteenth, or a quarter of a second, is played on
    let_go = [sample for sample, action in seen if action.name == "note_off" and 2.5 < sample / RATE < 4.9]
    assert set(let_go) <= {round((times[-1] + 1.0) * RATE)}
    assert [sample for sample, _ in started if sample / RATE > 5.1]
    assert said == ["the MIDI clock starts at the beginning", "the MIDI clock sends no more pulses, and no stop; it is waited for",
                    "the MIDI clock is back; playing goes on"]  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "seconds", "said"),
    [
        ([(0.1, START)], 3, "the MIDI clock sent start, and no pulses; let it send MIDI clock (sync) too"),
        ([], 7, "nothing came from the MIDI clock yet; let the other machine send MIDI clock (sync)"),
        ([(float(time), PULSE) for time in grid((96, 24 * 6))], 4, "the MIDI clock: 96 beats a minute; it waits for start"),
        ([(0.0, PULSE), *[(number / 9000, PULSE) for number in range(9000)]], 1,
         "the MIDI clock sends more pulses than 24 a beat at 400 beats a minute; most are left out"),
    ],
)  # fmt: skip
def test_what_lacks_is_said_once_and_nothing_plays(messages: Messages, seconds: float, said: str) -> None:
    assert play(messages, seconds, [4096]) == ([], [said] if "start," not in said else ["the MIDI clock starts at the beginning", said])


def test_a_midi_file_follows_a_clock() -> None:
    song = MidiFile(tuple(Timed(beat / 2, beat, bytes((0x90, 60 + beat, 100))) for beat in range(8)), 4.0, 8.0)
    conductor = Conductor(SilentEngine(), say=print)
    messages = [(0.1, b"\xf2\x08\x00"), (0.2, CONTINUE), *[(0.5 + float(time), PULSE) for time in grid((60, 24 * 8))]]
    found = hits(play(messages, 7, played=FileBeats(song, conductor.midi_actions))[0])
    assert [(sample, action.values[0]) for sample, action in found] == [(RATE // 2 + RATE * place, 62 + place) for place in range(6)]


def test_the_tempo_of_a_clock_is_not_steered() -> None:
    source = ClockedSource(Walk(DRUMS, "kits", sample_rate=RATE), Follower(), sample_rate=RATE, say=print)
    source.steer("density", 0.5)
    with pytest.raises(ConfigError, match="the tempo is that of the MIDI clock; change it there, or leave out --clock"):
        source.steer("tempo", 100)
    assert source.status() == "no MIDI clock"


PIECES = st.one_of(
    st.sampled_from([PULSE, START, CONTINUE, STOP, b"\xf2\x70\x00", b"\xf2", b"\xf0\x7e", b"\xf7", b"\x90\x3c\x64", b"\x3c\x40"]),
    st.binary(max_size=5),
)  # fmt: skip


@given(stream=st.lists(st.tuples(st.floats(0, 0.4), PIECES, st.integers(1, 40)), max_size=30))
@settings(deadline=None, max_examples=60)
def test_no_stream_of_bytes_makes_it_fail(stream: list[tuple[float, bytes, int]]) -> None:
    parser, messages, now = MidiParser(), [], 0.0
    for gap, piece, times in stream:
        for _ in range(times):
            now += gap / 10
            messages += [(now, message) for message in parser.feed(piece)]
    seen, said = play([one for one in messages if one[1][0] >= 0xF0], min(now, 3) + 0.5, [30_000])
    assert len(said) == len(set(said))
    samples = [sample for sample, _ in seen]
    assert samples == sorted(samples)


def test_pulses_within_other_messages_count() -> None:
    """Real-time bytes may come anywhere: in system exclusive messages, and between the bytes of notes with running status."""
    parser, follower = MidiParser(), Follower()
    stream = b"\xf0\x7e\xf8\x7f\xf8\x09\x01\xf7\x90\x3c\xf8\x40\x3d\xf8\x40\xf2\x04\xf8\x00\xf8"
    others = []
    for number, message in enumerate(parser.feed(stream)):
        follower.receive(message, number / 48)
        others += [message] if message[0] < 0xF0 else []
    kinds = [message[0] for _, message in iter(lambda: follower.next(9.0), None)]  # type: ignore[misc]
    assert kinds.count(0xF8) == 6
    assert kinds.count(0xF2) == 1
    assert others == [b"\x90\x3c\x40", b"\x90\x3d\x40"]


def test_a_flood_of_all_messages_has_limited_memory() -> None:
    follower = Follower()
    for number in range(70_000):
        follower.receive((PULSE, PULSE, PULSE, CONTINUE)[number % 4] if number % 500 else START, number / 1e4)
    assert follower.dropped == 70_000 - 65_536
    source = ClockedSource(Walk(DRUMS, "kits", sample_rate=RATE), follower, sample_rate=RATE, say=lambda _: None)
    source.advance(RATE * 30)
    assert follower.phase in (Phase.STARTING, Phase.LOST, Phase.PLAYING)


@pytest.mark.parametrize(
    ("inputs", "sources", "says"),
    [
        ({"clock": "keystep"}, {}, "--clock is for what plays by itself: give --walk kits, --walk notes, or --midi FILE.mid too"),
        ({"clock": "keystep"}, {"walk": "kits", "tempo": 90.0}, "--tempo and --clock: the tempo is that of the clock"),
        ({"clock": "keystep"}, {"walk": "kits", "offline": True}, "--offline renders as fast as it can, and a MIDI clock takes its time"),
        ({"clock": "song.mid"}, {"walk": "kits"}, "--clock is 'song.mid', a file; give a MIDI port, see --list"),
        ({"clock_offset": 5.0}, {"walk": "kits"}, "--clock-offset needs --clock PORT"),
        ({"clock": "keystep", "clock_offset": 400.0}, {"walk": "kits"}, "--clock-offset is 400, allowed is a number from -250 to 250"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(inputs: dict[str, Any], sources: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        InputOptions(**inputs).check()
        SourceOptions(**sources).check(None, record=None, seconds=None, device=None, clock=inputs.get("clock"))
