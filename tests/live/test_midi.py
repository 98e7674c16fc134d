"""MIDI: messages found in bytes, what they do, and files."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.live.actions import Action
from timbrespace.live.midi.file import MidiFileError, parse_midi_file, read_midi_file
from timbrespace.live.midi.parser import LONGEST, MidiParser, data_bytes
from timbrespace.live.midi.receiver import MidiReceiver, note_id

# --- the parser --------------------------------------------------------------------------------------------------


def test_running_status_and_clock_inside_a_message() -> None:
    parser = MidiParser()
    assert parser.feed([0x90, 60, 100, 64, 0xF8, 0, 0x80, 60, 0xFE, 1]) == [
        b"\x90\x3c\x64", b"\xf8", b"\x90\x40\x00", b"\xfe", b"\x80\x3c\x01",
    ]  # fmt: skip
    assert parser.ignored == 0


def test_system_messages_end_the_running_status() -> None:
    parser = MidiParser()
    assert parser.feed([0xC3, 5, 0xF0, 1, 2, 0xF7, 9, 0xF2, 1, 2, 3]) == [b"\xc3\x05", b"\xf0\x01\x02\xf7", b"\xf2\x01\x02"]
    assert parser.ignored == 2  # the 9 and the 3 belong to nothing


def test_an_endless_exclusive_message_takes_no_memory() -> None:
    parser = MidiParser()
    assert parser.feed([0xF0]) == []
    for _ in range(40):
        assert parser.feed([1] * 10_000) == []
    assert len(parser._exclusive or b"") <= LONGEST + 1
    assert parser.feed([0xF7, 0x90, 1, 2]) == [b"\x90\x01\x02"]


@settings(deadline=None)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_messages_do_not_depend_on_how_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, cut = MidiParser(), MidiParser()
    places = sorted({0, len(data), *(place for place in cuts if place < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    messages = whole.feed(data)
    assert [message for piece in pieces for message in cut.feed(piece)] == messages
    for message in messages:
        assert message[0] >= 0x80
        assert max(message[1:-1] if message[0] == 0xF0 else message[1:], default=0) < 0x80
        assert message[0] == 0xF0 or len(message) == 1 + (data_bytes(message[0]) or 0)


# --- what messages do --------------------------------------------------------------------------------------------


def test_notes_with_velocity_0_are_releases() -> None:
    receiver = MidiReceiver()
    assert receiver.receive(b"\x92\x3c\x64") == [Action("note_on", (60, 100), 2, note_id(2, 60))]
    assert receiver.receive(b"\x92\x3c\x00") == [Action("note_off", (60, 0), 2, note_id(2, 60))]
    assert receiver.receive(b"\x82\x3c\x20") == [Action("note_off", (60, 32), 2, note_id(2, 60))]


def test_bend_by_the_range_that_was_set() -> None:
    receiver = MidiReceiver()
    assert receiver.receive(b"\xe0\x00\x40") == [Action("bend", (0.0,), 0)]
    assert receiver.receive(b"\xe0\x00\x00") == [Action("bend", (-2.0,), 0)]
    for message in (b"\xb0\x65\x00", b"\xb0\x64\x00", b"\xb0\x06\x0c", b"\xb0\x26\x32"):  # 12 semitones and 50 cents
        actions = receiver.receive(message)
    assert actions == [Action("bend", (-12.5,), 0)]
    assert receiver.receive(b"\xb0\x65\x7f") + receiver.receive(b"\xb0\x64\x7f") + receiver.receive(b"\xb0\x06\x01") == []


def configured(manager: int, members: int, receiver: MidiReceiver | None = None) -> MidiReceiver:
    receiver = receiver or MidiReceiver()
    for number, value in ((101, 0), (100, 6), (6, members)):
        receiver.receive(bytes((0xB0 | manager, number, value)))
    return receiver


def test_zones_by_their_message_and_the_newer_takes_channels() -> None:
    receiver = configured(0, 10)
    assert receiver.zones == (10, 0)
    configured(15, 7, receiver)
    assert receiver.zones == (7, 7)
    configured(0, 0, receiver)
    assert receiver.zones == (0, 7)
    assert MidiReceiver(members=15).zones == (15, 0)


def test_bends_of_manager_and_member_add_up_and_stay_within_the_zone() -> None:
    receiver = configured(0, 3)
    (member,) = receiver.receive(b"\xe1\x00\x60")  # half up: 24 of 48 semitones
    assert member == Action("bend", (24.0,), 1)
    actions = receiver.receive(b"\xe0\x00\x20")  # half down: 1 of 2 semitones
    assert [(action.channel, action.values[0]) for action in actions] == [(0, -1.0), (1, 23.0), (2, -1.0), (3, -1.0)]
    assert receiver.receive(b"\xe5\x00\x60") == [Action("bend", (1.0,), 5)]  # outside the zone


def test_pressure_takes_the_larger_and_timbre_moves_by_the_manager() -> None:
    receiver = configured(15, 2)
    assert receiver.receive(b"\xde\x40") == [Action("pressure", (64 / 127,), 14)]
    assert [action.values[0] for action in receiver.receive(b"\xdf\x20")] == pytest.approx([32 / 127, 64 / 127, 32 / 127])
    receiver.receive(b"\xbe\x4a\x7f")
    values = {action.channel: action.values[0] for action in receiver.receive(b"\xbf\x4a\x00")}
    assert values == {15: 0.0, 14: 0.5, 13: 0.0}


def test_a_range_of_a_member_holds_for_its_zone() -> None:
    receiver = configured(0, 2)
    for number, value in ((101, 0), (100, 0), (6, 24)):
        receiver.receive(bytes((0xB2, number, value)))
    assert receiver.receive(b"\xe1\x00\x60") == [Action("bend", (12.0,), 1)]
    assert receiver.receive(b"\xe0\x00\x60")[0] == Action("bend", (1.0,), 0)


def test_all_notes_off_ends_the_notes_of_its_channel_only() -> None:
    receiver = MidiReceiver()
    for message in (b"\x90\x3c\x64", b"\x90\x40\x64", b"\x91\x3c\x64"):
        receiver.receive(message)
    assert [(action.name, action.values[0], action.channel) for action in receiver.receive(b"\xb0\x7b\x00")] == [
        ("note_off", 60, 0), ("note_off", 64, 0),
    ]  # fmt: skip
    assert receiver.receive(b"\xb0\x78\x00") == [Action("all_sound_off")]


def test_a_system_reset_ends_zones_and_sounds() -> None:
    receiver = configured(0, 5)
    assert receiver.receive(b"\xf0\x7e\x7f\x09\x01\xf7")[0] == Action("all_sound_off")
    assert receiver.zones == (0, 0)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5), max_size=40))
def test_any_messages_give_finite_values(messages: list[bytes]) -> None:
    receiver = MidiReceiver()
    for message in messages:
        for action in receiver.receive(message):
            assert all(math.isfinite(value) for value in action.values)
            assert action.channel is None or 0 <= action.channel < 16


# --- files -------------------------------------------------------------------------------------------------------


def number(value: int) -> bytes:
    """A quantity of variable length."""
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, value & 127 | 128)
    return bytes(out)


def track(*events: tuple[int, bytes]) -> bytes:
    content = b"".join(number(delta) + message for delta, message in events) + b"\0\xff\x2f\0"
    return b"MTrk" + len(content).to_bytes(4) + content


def song(*tracks: bytes, form: int = 1, division: bytes = b"\x01\xe0") -> bytes:
    return b"MThd\0\0\0\x06" + form.to_bytes(2) + len(tracks).to_bytes(2) + division + b"".join(tracks)


def tempo(beats_a_minute: float) -> bytes:
    return b"\xff\x51\x03" + round(60e6 / beats_a_minute).to_bytes(3)


def test_times_follow_the_tempo_map_of_another_track() -> None:
    tempos = track((0, tempo(60)), (480, tempo(120)), (960, tempo(240)))
    notes = track((0, b"\x90\x3c\x64"), (480, b"\x3c\x00"), (960, b"\x40\x50"), (480, b"\x40\x00"))  # with running status
    file = parse_midi_file(song(tempos, notes))
    assert [(round(timed.seconds, 6), timed.beats) for timed in file.messages] == [(0.0, 0.0), (1.0, 1.0), (2.0, 3.0), (2.25, 4.0)]
    assert (file.seconds, file.beats, file.notes, file.warnings) == (2.25, 4.0, 2, ())


def test_format_0_riff_and_unknown_chunks() -> None:
    data = song(track((0, b"\x90\x3c\x64"), (240, b"\x80\x3c\x00")), form=0)
    other = data[:14] + b"XFIH\0\0\0\x02ab" + data[14:]
    riff = b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + len(data).to_bytes(4, "little") + data
    assert parse_midi_file(data) == parse_midi_file(other) == parse_midi_file(riff)
    assert parse_midi_file(data).seconds == 0.25


def test_frames_of_film() -> None:
    file = parse_midi_file(song(track((0, b"\x90\x3c\x64"), (50, b"\x80\x3c\x00")), division=bytes((256 - 25, 40))))
    assert file.seconds == pytest.approx(0.05)


def test_notes_that_never_end_are_ended() -> None:
    file = parse_midi_file(song(track((0, b"\x95\x3c\x64"), (480, b"\xb5\x07\x64"))))
    assert file.messages[-1].message == b"\x85\x3c\x00"
    assert file.messages[-1].seconds == 0.5


def test_a_damaged_track_is_used_up_to_its_damage() -> None:
    good = track((0, b"\x90\x3c\x64"), (480, b"\x80\x3c\x00"))
    bad = track((0, b"\x91\x30\x64"), (10, b"\x91\xff\xff"))
    file = parse_midi_file(song(bad, good))
    assert file.notes == 2
    assert len(file.warnings) == 1
    assert "track 1 is damaged (a value is over 127); 1 message before that" in file.warnings[0]
    assert parse_midi_file(song(good)[:-9]).notes == 1  # cut off inside


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no header"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "no header"),
        (song(track(), form=2), "format 2"),
        (song(track((0, b"\x90\x3c\x64")), division=b"\0\0"), "0 ticks a quarter note"),
        (song(track((0, b"\x90\x3c\x64")), division=bytes((256 - 26, 4))), "26 frames a second"),
        (song(), "no messages"),
        (song(track((0, b"\xf4"))), "no messages"),
    ],
)
def test_what_is_no_song_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(MidiFileError, match=says):
        parse_midi_file(data)


def test_a_missing_file_and_a_folder(tmp_path: object) -> None:
    with pytest.raises(MidiFileError, match="does not exist"):
        read_midi_file("nowhere.mid")
    with pytest.raises(MidiFileError, match="cannot be read"):
        read_midi_file(str(tmp_path))


def test_a_time_without_end_is_cut() -> None:
    far = track((0, b"\x90\x3c\x64"), *((0x0FFFFFFF, tempo(4)) for _ in range(3)), (9, b"\x80\x3c\x00"))
    file = parse_midi_file(song(far, division=b"\0\x01"))
    assert file.seconds <= 24 * 3600
    assert "longer than 24 hours" in file.warnings[0]
    assert file.messages[-1].message == b"\x80\x3c\x00"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), place=st.integers(0, 400), change=st.binary(min_size=1, max_size=4))
def test_any_bytes_are_a_song_or_refused(data: bytes, place: int, change: bytes) -> None:
    whole = song(track((0, tempo(100)), (0, b"\x90\x3c\x64"), (480, b"\x80\x3c\x00")), track((0, b"\x92\x24\x7f")))
    for text in (data, song(b"MTrk" + len(data).to_bytes(4) + data), whole[:place] + change + whole[place + len(change) :]):
        try:
            file = parse_midi_file(text)
        except MidiFileError:
            continue
        times = [timed.seconds for timed in file.messages]
        assert times == sorted(times)
        assert all(math.isfinite(time) for time in times)
