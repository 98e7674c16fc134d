"""MIDI messages as actions of an engine: notes, bend, pressure, timbre, pedals, programs, and MPE zones.

MPE (MIDI Polyphonic Expression, M1-100-UM v1.1): in a zone, each note has a channel of its own, a member channel; messages on the
manager channel (1 of the lower zone, 16 of the upper one) hold for all notes of the zone. Bends of both add up, of pressures the
larger counts, and timbre moves by the distance of the manager's from its centre. A zone is set up by its registered parameter 6, or at once
by `members`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from timbrespace.live.actions import Action

NOTE_OFF, NOTE_ON, KEY_PRESSURE, CONTROLLER, PROGRAM, PRESSURE, BEND = range(0x80, 0xF0, 0x10)
SUSTAIN, TIMBRE = 64, 74
_DATA_MSB, _DATA_LSB, _NRPN, _RPN_LSB, _RPN_MSB = 6, 38, (98, 99), 100, 101
_ALL_SOUND_OFF, _RESET, _NOTES_OFF = 120, 121, range(123, 128)
_BEND_RANGE, _ZONE, _NO_PARAMETER = (0, 0), (0, 6), (127, 127)
_WIDEST = 96.0  # semitones of a bend range, as MPE allows
_MEMBER_RANGE, _RANGE = 48.0, 2.0  # semitones
_RESETS = (b"\xf0\x7e\x7f\x09\x01\xf7", b"\xf0\x7e\x7f\x09\x03\xf7", b"\xf0\x41\x10\x42\x12\x40\x00\x7f\x00\x41\xf7")  # GM, GM 2, GS


def note_id(channel: int, note: int) -> int:
    """Returns the id of a note that came by MIDI: negative, so that it is none that OSC gives."""
    return -1 - channel * 128 - note


@dataclass
class _Channel:
    bend: float = 0.0  # -1 to 1
    range: float = _RANGE  # semitones
    pressure: float = 0.0
    timbre: float = 0.5
    sustain: bool = False
    parameter: tuple[int, int] = _NO_PARAMETER  # registered, most significant byte first
    notes: set[int] = field(default_factory=set)


class MidiReceiver:
    """Turns messages into actions. It keeps what MIDI keeps for a channel; one thread uses it at a time."""

    def __init__(self, *, members: int = 0):
        """members: of a lower MPE zone from the start, 0 to 15; 0: none."""
        self._channels = [_Channel() for _ in range(16)]
        self._lower = self._upper = 0  # member channels
        if members:
            self._set_zone(0, members)

    @property
    def zones(self) -> tuple[int, int]:
        """Numbers of member channels of the lower and the upper MPE zone, 0 without."""
        return self._lower, self._upper

    def receive(self, message: bytes) -> list[Action]:
        """Returns what a whole message does, nothing for one that has no meaning here."""
        if not message or message[0] >= 0xF0:
            return self._reset_all() if message in _RESETS else []
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if any(byte > 127 for byte in message[1:]) or len(message) < (2 if kind in (PROGRAM, PRESSURE) else 3):
            return []
        return list(self._channel_message(kind, channel, message[1], message[2] if len(message) > 2 else 0))

    def _channel_message(self, kind: int, channel: int, first: int, second: int) -> Iterator[Action]:
        state = self._channels[channel]
        if kind == NOTE_ON and second > 0:
            state.notes.add(first)
            yield Action("note_on", (first, second), channel, note_id(channel, first))
        elif kind in (NOTE_ON, NOTE_OFF):
            state.notes.discard(first)
            yield Action("note_off", (first, second if kind == NOTE_OFF else 0), channel, note_id(channel, first))
        elif kind == KEY_PRESSURE:
            yield Action("pressure", (second / 127,), channel, note_id(channel, first))
        elif kind == PROGRAM:
            for one in (channel, *self._members(channel)):  # of a manager, for its zone
                yield Action("program", (first,), one)
        elif kind == PRESSURE:
            state.pressure = first / 127
            yield from self._expression("pressure", channel)
        elif kind == BEND:
            state.bend = (first + 128 * second - 8192) / 8192
            yield from self._expression("bend", channel)
        elif kind == CONTROLLER:
            yield from self._controller(channel, first, second)

    def _controller(self, channel: int, number: int, value: int) -> Iterator[Action]:
        state = self._channels[channel]
        if number == SUSTAIN:
            state.sustain = value >= 64
            for one in (channel, *self._members(channel)):
                yield Action("sustain", (state.sustain,), one)
        elif number == TIMBRE:
            state.timbre = value / 127
            yield from self._expression("timbre", channel)
        elif number in (_RPN_MSB, _RPN_LSB):
            high, low = state.parameter
            state.parameter = (value, low) if number == _RPN_MSB else (high, value)
        elif number in _NRPN:
            state.parameter = _NO_PARAMETER
        elif number in (_DATA_MSB, _DATA_LSB):
            yield from self._parameter(channel, value, fine=number == _DATA_LSB)
        elif number == _ALL_SOUND_OFF:
            state.notes.clear()
            yield Action("all_sound_off")
        elif number == _RESET:
            yield from self._reset(channel)
        elif number in _NOTES_OFF:
            for one in (channel, *self._members(channel)):
                for note in sorted(self._channels[one].notes):
                    yield Action("note_off", (note, 0), one, note_id(one, note))
                self._channels[one].notes.clear()

    def _parameter(self, channel: int, value: int, *, fine: bool) -> Iterator[Action]:
        state = self._channels[channel]
        if state.parameter == _ZONE and not fine and channel in (0, 15):
            self._set_zone(channel, min(value, 15))
            for one in (channel, *self._members(channel)):
                yield from self._reset(one)
        elif state.parameter == _BEND_RANGE:
            semitones = float(value) if not fine else int(state.range) + min(value, 99) / 100
            manager = self._manager(channel)
            for one in [channel] if manager is None else self._members(manager):  # one range for all members
                self._channels[one].range = min(semitones, _WIDEST)
            yield from self._expression("bend", channel if manager is None else manager)

    def _expression(self, name: str, channel: int) -> Iterator[Action]:
        """The value of a channel, and of all members if it is the manager of a zone."""
        members = self._members(channel)
        for one in (channel, *members):
            manager = self._manager(one)
            yield Action(name, (self._value(name, one, manager),), one)

    def _value(self, name: str, channel: int, manager: int | None) -> float:
        own = self._channels[channel]
        above = self._channels[manager] if manager is not None else None
        if name == "bend":
            return own.bend * own.range + (above.bend * above.range if above else 0.0)
        if name == "pressure":
            return max(own.pressure, above.pressure) if above else own.pressure
        return min(max(own.timbre + above.timbre - 0.5, 0.0), 1.0) if above else own.timbre

    def _members(self, channel: int) -> range:
        """Member channels of the zone that a channel manages, none for other channels."""
        if channel == 0 and self._lower:
            return range(1, 1 + self._lower)
        return range(14, 14 - self._upper, -1) if channel == 15 and self._upper else range(0)

    def _manager(self, channel: int) -> int | None:
        """The manager of a member channel, None for other channels."""
        return 0 if channel in self._members(0) else 15 if channel in self._members(15) else None

    def _set_zone(self, manager: int, members: int) -> None:
        """The newer zone takes channels from the older one."""
        if manager == 0:
            self._lower, self._upper = members, min(self._upper, max(14 - members, 0))
        else:
            self._upper, self._lower = members, min(self._lower, max(14 - members, 0))
        self._channels[manager].range = _RANGE
        for one in self._members(manager):
            self._channels[one].range = _MEMBER_RANGE

    def _reset(self, channel: int) -> Iterator[Action]:
        """Controllers at their start, as message 121 asks (RP-015)."""
        state = self._channels[channel]
        state.bend, state.pressure, state.timbre, state.sustain, state.parameter = 0.0, 0.0, 0.5, False, _NO_PARAMETER
        yield Action("sustain", (False,), channel)
        for name in ("bend", "pressure", "timbre"):
            yield from self._expression(name, channel)

    def _reset_all(self) -> list[Action]:
        self._channels = [_Channel() for _ in range(16)]
        self._lower = self._upper = 0
        return [Action("all_sound_off"), *(action for channel in range(16) for action in self._reset(channel))]
