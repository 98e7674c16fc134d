"""Actions: what MIDI, OSC, mappings and walks ask of an engine, and the queue that takes them to the thread that controls it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Methods of the engine that set a value: of two with the same key and no event between them, only the later one counts. The number says
# how many of the first values belong to the key.
_SETTERS = {
    "set_control": 1, "set_latent": 1, "set_latents": 0, "set_axis": 1, "set_map": 0, "set_morph": 0, "set_gain": 0,
    "bend": 0, "pressure": 0, "timbre": 0,
}  # fmt: skip
_STARTS = ("note_on", "pad")  # may be dropped where the queue is full: a note that does not sound does no harm, one that never ends does
CLOCK_OUT = "clock_out"  # sends a message of a MIDI clock to another machine
TRANSPORT = ("start", "stop", "continue")  # values of "transport", of a walk
ROOM = 16_384  # actions that wait at most


@dataclass(frozen=True, slots=True)
class Action:
    """A call of a method of the engine, or of the walk ("walk_speed" …, "transport").

    values: its positional arguments. channel: of MIDI, 0 to 15. id: of one note. None: not given to the method. refused: called with the
    reason where it cannot be carried out.
    """

    name: str
    values: tuple[Any, ...] = ()
    channel: int | None = None
    id: int | None = None
    refused: Callable[[str], None] | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[Any, ...] | None:
        """What a setter sets; None for an event: each one counts."""
        if self.name.startswith("walk_"):
            return (self.name,)
        own = _SETTERS.get(self.name)
        return None if own is None else (self.name, self.channel, self.id, *self.values[:own])

    def carry_out(self, engine: Any, *, at: int | None = None) -> None:
        """Calls the method. at: sample of the engine. Raises what it raises: ConfigError for a value that the engine refuses."""
        named = {name: value for name, value in (("channel", self.channel), ("id", self.id), ("at", at)) if value is not None}
        getattr(engine, self.name)(*self.values, **named)


class Inbox:
    """A queue of actions from any thread to one, with limited memory.

    Values that are set again before they are taken are merged, so that a flood of a controller costs no more than its last value. The
    order of values and events stays. merged, dropped: how many actions were overtaken by a later one, or found no room.
    """

    def __init__(self, room: int = ROOM):
        """room: actions that wait at most; over it, new notes are dropped (releases are not, up to four times as many)."""
        self.merged = self.dropped = 0
        self._room, self._number = room, 0
        self._waiting: dict[int, Action] = {}  # by number, in order
        self._latest: dict[tuple[Any, ...], int] = {}  # of values set since the last event
        self._lock, self._filled = threading.Lock(), threading.Event()

    def put(self, action: Action) -> None:
        """Adds an action; never waits for the thread that takes them."""
        key = action.key
        with self._lock:
            if key is None:
                self._latest.clear()
            elif self._waiting.pop(self._latest.get(key, -1), None) is not None:
                self.merged += 1
            if len(self._waiting) >= (self._room if action.name in _STARTS or key is not None else 4 * self._room):
                self.dropped += 1
                return
            self._number += 1
            self._waiting[self._number] = action
            if key is not None:
                self._latest[key] = self._number
            self._filled.set()

    def take(self, seconds: float = 0.0) -> list[Action]:
        """Returns the waiting actions in order, none after at most `seconds`."""
        if seconds > 0:
            self._filled.wait(seconds)
        with self._lock:
            actions = list(self._waiting.values())
            self._waiting.clear()
            self._latest.clear()
            self._filled.clear()
        return actions

    def wake(self) -> None:
        """Ends a `take` that waits."""
        self._filled.set()
