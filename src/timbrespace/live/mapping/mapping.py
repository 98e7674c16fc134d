"""A mapping at work: messages of controllers become actions, and a target can learn its controller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from timbrespace.live.actions import Action
from timbrespace.live.mapping.knobs import Knob
from timbrespace.live.mapping.schema import Entry, MappingFile
from timbrespace.live.mapping.targets import PROGRAMS, Target, Targets
from timbrespace.live.midi.receiver import BEND, CONTROLLER, NOTE_OFF, NOTE_ON, PRESSURE

_MOVED = 10  # of 127 that a controller must move to be learned: less may be noise, or a touch by accident
_NOT_LEARNED = (6, 38, *range(96, 102), *range(120, 128))  # data entry, parameter numbers, channel modes


class Mapping:
    """Controllers and what they move. Any thread may use it.

    A message that an entry names is taken by the mapping, and does nothing else. learned: called with a new entry, on the thread of the
    message that made it.
    """

    def __init__(self, content: MappingFile | None = None, *, learned: Callable[[Entry], None] | None = None):
        self._lock = threading.RLock()
        self._learned = learned
        self._programs = PROGRAMS
        self._targets = Targets()
        self._knobs = [Knob(entry) for entry in (content or MappingFile()).controllers]
        self._learning: Target | None = None
        self._seen: dict[tuple[int, ...] | str, tuple[float, float]] = {}  # least and largest value since learning began

    @property
    def content(self) -> MappingFile:
        """The entries, with those that were learned."""
        with self._lock:
            return MappingFile(controllers=tuple(knob.entry for knob in self._knobs))

    @property
    def learning(self) -> Target | None:
        """The target that waits for its controller."""
        return self._learning

    def set_programs(self, count: int) -> None:
        """Takes the number of instruments: a target `program` without `low` and `high` goes from the first to the last of them."""
        with self._lock:
            if count != self._programs:
                self._programs = count
                self._knobs = [Knob(knob.entry, programs=count) if knob.target.kind == "program" else knob for knob in self._knobs]

    def learn(self, target: Target | None) -> None:
        """Gives a target to the next controller that is moved, or the next key for a pad; None: ends the wait."""
        with self._lock:
            self._learning = target
            self._seen.clear()

    def midi(self, message: bytes) -> list[Action] | None:
        """Returns what a channel message does by this mapping; None if no entry names it."""
        if len(message) < 2 or not 0x80 <= message[0] < 0xF0 or max(message[1:]) > 127:
            return None
        kind, channel, first, last = message[0] & 0xF0, message[0] & 0x0F, message[1], message[-1]
        if kind == NOTE_ON and last == 0:
            kind = NOTE_OFF
        with self._lock:
            if self._learning is not None:
                self._learn_midi(kind, channel, first, last)
            knobs = [knob for knob in self._knobs if knob.entry.channel in (None, channel + 1) and _names(knob.entry, kind, first)]
            if not knobs:
                return None
            return [self._set(knob) for knob in knobs if _moved(knob, kind, first, last)]

    def osc(self, address: str, value: float) -> list[Action] | None:
        """Returns what a number at an OSC address does by this mapping; None if no entry names it."""
        with self._lock:
            if self._learning is not None:
                self._watch(address, value, 0.1, {"osc": address})
            knobs = [knob for knob in self._knobs if knob.entry.osc == address]
            if not knobs:
                return None
            spans = [(knob, *knob.entry.input) for knob in knobs]
            return [self._set(knob) for knob, low, high in spans if knob.move_to((value - low) / (high - low))]

    def advance(self, seconds: float) -> list[Action]:
        """Returns the actions of smoothed values, `seconds` after the last call."""
        with self._lock:
            return [self._set(knob) for knob in self._knobs if knob.moving and knob.advance(seconds)]

    def _set(self, knob: Knob) -> Action:
        return self._targets.action(knob.target, knob.value)

    def _learn_midi(self, kind: int, channel: int, first: int, last: int) -> None:
        assert self._learning is not None
        if self._learning.kind == "pad":
            if kind == NOTE_ON:
                self._bind({"note": first, "channel": channel + 1})
        elif kind == CONTROLLER and first not in _NOT_LEARNED:
            self._watch((channel, first), last, _MOVED, {"cc": first, "channel": channel + 1})
        elif kind == BEND:
            self._watch((channel, -1), last, _MOVED, {"bend": True, "channel": channel + 1})
        elif kind == PRESSURE:
            self._watch((channel, -2), last, _MOVED, {"pressure": True, "channel": channel + 1})

    def _watch(self, source: tuple[int, ...] | str, value: float, enough: float, keys: dict[str, object]) -> None:
        low, high = self._seen.get(source, (value, value))
        low, high = min(low, value), max(high, value)
        if len(self._seen) < 4096 or source in self._seen:
            self._seen[source] = (low, high)
        if high - low >= enough:
            self._bind(keys)

    def _bind(self, keys: dict[str, object]) -> None:
        """A learned target forgets the controller that it had; a controller may move several targets."""
        target, self._learning = self._learning, None
        entry = Entry.model_validate({**keys, "target": str(target)})
        self._knobs = [knob for knob in self._knobs if knob.target != target]
        self._knobs.append(Knob(entry, programs=self._programs))
        self._seen.clear()
        if self._learned is not None:
            self._learned(entry)


def _names(entry: Entry, kind: int, first: int) -> bool:
    """Whether an entry names messages of this kind, and number."""
    if kind == CONTROLLER:
        return first in _numbers(entry)
    if kind in (NOTE_ON, NOTE_OFF):
        return entry.note == first
    return (kind == BEND and entry.bend) or (kind == PRESSURE and entry.pressure)


def _numbers(entry: Entry) -> Iterator[int]:
    if entry.cc is not None:
        yield entry.cc
        if entry.bits == 14:
            yield entry.cc + 32


def _moved(knob: Knob, kind: int, first: int, last: int) -> bool:
    """Hands a message to its knob. Returns whether the target has to be set."""
    if kind == CONTROLLER:
        return knob.controller(last, fine=first != knob.entry.cc)
    if kind == NOTE_OFF:
        return False
    return knob.move_to((first + 128 * last) / 16383 if kind == BEND else (first if kind == PRESSURE else last) / 127)
