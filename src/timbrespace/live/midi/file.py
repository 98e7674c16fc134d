"""Standard MIDI files: every message with its time in seconds, by the tempo map (Standard MIDI Files 1.0, RP-001)."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.midi.parser import data_bytes
from timbrespace.wording import counted

_LARGEST = 32 * 2**20  # bytes
_MOST = 2_000_000  # messages
_LONGEST = 24 * 3600.0  # s
_TEMPO = 500_000  # µs a quarter note until the file says otherwise: 120 beats a minute
_END_OF_TRACK, _SET_TEMPO = 0x2F, 0x51
_FRAME_RATES = {24: 24.0, 25: 25.0, 29: 30 / 1.001, 30: 30.0}


class MidiFileError(TimbrespaceError):
    """A file that is no Standard MIDI file, or one that is damaged, empty or too large."""


class Timed(NamedTuple):
    """A message of a file. seconds, beats: since the start; message: whole, with its status."""

    seconds: float
    beats: float
    message: bytes


@dataclass(frozen=True)
class MidiFile:
    """The messages of a file in order of time. seconds, beats: of its end. warnings: what was damaged and was left out.

    tempos: where each begins, in beats and in s, and s of its beats.
    """

    messages: tuple[Timed, ...]
    seconds: float
    beats: float
    warnings: tuple[str, ...] = ()
    tempos: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, _TEMPO / 1e6),)

    def seconds_of(self, beat: float) -> float:
        """Returns when a beat is, in s, by the tempo map."""
        begin, seconds, each = self.tempos[max(bisect_right(self.tempos, beat, key=lambda one: one[0]) - 1, 0)]
        return seconds + (beat - begin) * each

    def tempo_at(self, seconds: float) -> float:
        """Returns the beats a minute at a time, by the tempo map."""
        return 60 / self.tempos[max(bisect_right(self.tempos, seconds, key=lambda one: one[1]) - 1, 0)][2]

    @property
    def notes(self) -> int:
        """How many notes begin."""
        return sum(timed.message[0] & 0xF0 == 0x90 and timed.message[2] > 0 for timed in self.messages)


class _DamagedError(Exception):
    """The rest of a track cannot be read."""


def read_midi_file(path: Path | str) -> MidiFile:
    """Returns what a file of format 0 or 1 holds. Notes that never end are ended at the end of the file.

    Damaged tracks are read as far as they can be, with a warning. Raises MidiFileError.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise MidiFileError(f"{path} does not exist; give a MIDI file (.mid)") from None
    except OSError as error:
        raise MidiFileError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > _LARGEST:
        raise MidiFileError(f"{path} has more than {_LARGEST // 2**20} MB; MIDI files are allowed up to that size")
    return parse_midi_file(data, name=str(path))


def parse_midi_file(data: bytes, *, name: str = "the MIDI file") -> MidiFile:
    """Returns what the bytes of a file hold, see `read_midi_file`. name: for errors. Raises MidiFileError."""
    chunks = list(_chunks(data))
    header = next((content for kind, content in chunks if kind == b"MThd"), None)
    if header is None or len(header) < 6:
        raise MidiFileError(f"{name} is not a Standard MIDI file: it has no header 'MThd'; save it as .mid in your sequencer")
    form, division = int.from_bytes(header[:2]), header[4:6]
    if form > 1:
        raise MidiFileError(f"{name} has format {form}; formats 0 and 1 are read: save it as one song, of format 1")
    warnings: list[str] = []
    tracks: list[list[tuple[int, bytes]]] = []
    room = _MOST
    for number, content in enumerate((content for kind, content in chunks if kind == b"MTrk"), 1):
        messages: list[tuple[int, bytes]] = []
        try:
            for message in _track(content):
                messages.append(message)
                if len(messages) > room:
                    raise MidiFileError(f"{name} has more than {_MOST:,} messages; cut it into shorter files")
        except _DamagedError as damage:
            warnings.append(f"{name}: track {number} is damaged ({damage}); {counted(len(messages), 'message')} before that are used")
        tracks.append(messages)
        room -= len(messages)
    if not any(tracks):
        raise MidiFileError(f"{name} has no messages{f': {warnings[0]}' if warnings else ''}; give a file with notes")
    return _timed(tracks, division, name, warnings)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk; a RIFF wrapper (.rmi) is opened, a last chunk may be cut off."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8])
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size


def _track(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Ticks since the start and message; the tempo and the end of the track as meta messages FF 51 and FF 2F. Raises _DamagedError."""
    at, ticks, running = 0, 0, 0
    while at < len(data):
        delta, at = _number(data, at)
        ticks += delta
        status = _byte(data, at)
        if status < 0x80:
            status = running
        else:
            at += 1
        if status == 0xFF:
            kind = _byte(data, at)
            size, at = _number(data, at + 1)
            if at + size > len(data):
                raise _DamagedError("it is cut off")
            if kind in (_SET_TEMPO, _END_OF_TRACK):
                yield ticks, bytes((0xFF, kind)) + data[at : at + size]
            if kind == _END_OF_TRACK:
                return
            at += size
        elif status in (0xF0, 0xF7):
            size, at = _number(data, at)
            if at + size > len(data):
                raise _DamagedError("it is cut off")
            if status == 0xF0:
                yield ticks, b"\xf0" + data[at : at + size]
            at += size
        else:
            length = data_bytes(status) if 0x80 <= status < 0xF0 else None
            if length is None:
                raise _DamagedError(f"a message begins with {status:#04x}")
            content = data[at : at + length]
            if len(content) < length or max(content) > 127:
                raise _DamagedError("it is cut off" if len(content) < length else "a value is over 127")
            running = status
            yield ticks, bytes((status,)) + content
            at += length


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _DamagedError("it is cut off")
    return data[at]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A quantity of variable length, at most four bytes, and the place after it."""
    value = 0
    for place in range(at, at + 4):
        byte = _byte(data, place)
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise _DamagedError("a time has more than four bytes")


def _timed(tracks: list[list[tuple[int, bytes]]], division: bytes, name: str, warnings: list[str]) -> MidiFile:
    """Merges tracks; at one tick the order of the tracks counts, and of the messages in each."""
    frames, quarter = _division(division, name)
    messages: list[Timed] = []
    sounding: dict[tuple[int, int], int] = {}
    tempo, last, seconds = _TEMPO, 0, 0.0
    tempos = [(0.0, 0.0, quarter / frames if frames else tempo / 1e6)]
    for ticks, message in heapq.merge(*tracks, key=lambda pair: pair[0]):
        seconds += (ticks - last) * (1 / frames if frames else tempo / 1e6 / quarter)
        last = ticks
        if seconds > _LONGEST:
            warnings.append(f"{name} is longer than {_LONGEST / 3600:g} hours; the rest is left out")
            seconds = messages[-1].seconds if messages else 0.0
            break
        if message[0] == 0xFF:
            if message[1] == _SET_TEMPO and len(message) == 5:
                tempo = max(int.from_bytes(message[2:]), 1)
                if not frames:
                    tempos.append((ticks / quarter, seconds, tempo / 1e6))
            continue
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind in (0x80, 0x90):
            key = (channel, message[1])
            starts = kind == 0x90 and message[2] > 0
            sounding[key] = max(sounding.get(key, 0) + (1 if starts else -1), 0)
        messages.append(Timed(seconds, ticks / quarter, message))
    beats = last / quarter
    hanging = [(key, count) for key, count in sorted(sounding.items()) if count]
    messages += [Timed(seconds, beats, bytes((0x80 | channel, note, 0))) for (channel, note), count in hanging for _ in range(count)]
    return MidiFile(tuple(messages), seconds, beats, tuple(warnings), tuple(tempos))


def _division(division: bytes, name: str) -> tuple[float, float]:
    """Ticks a second where the file counts frames of film, else 0; and ticks a quarter note, at 120 beats a minute for film."""
    if division[0] & 0x80:
        rate = _FRAME_RATES.get(256 - division[0])
        if rate is None or not division[1]:
            raise MidiFileError(
                f"{name} counts {256 - division[0]} frames a second with {division[1]} ticks; allowed are 24, 25, 29 and 30"
            )
        return rate * division[1], rate * division[1] / 2
    ticks = int.from_bytes(division)
    if not ticks:
        raise MidiFileError(f"{name} has 0 ticks a quarter note; at least 1 is needed: save it again in your sequencer")
    return 0.0, float(ticks)
