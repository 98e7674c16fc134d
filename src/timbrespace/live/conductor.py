"""The one thread that controls an engine: what MIDI, OSC, a mapping and a walk ask for, carried out in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.actions import CLOCK_OUT, Action, Inbox
from timbrespace.live.clock.follower import MESSAGES, Follower
from timbrespace.live.clock.sender import ClockSender
from timbrespace.live.mapping.mapping import Mapping
from timbrespace.live.mapping.targets import Numbered, counted_from_one
from timbrespace.live.midi.receiver import MidiReceiver
from timbrespace.live.reports import Reports


class Steered(Protocol):
    """What a walk, or a MIDI file, has to have: see `live.walk`."""

    @property
    def settings(self) -> Sequence[str]:
        """Names that `steer` takes."""

    @property
    def tempo(self) -> float | None:
        """Beats a minute; None: not known yet."""

    @property
    def playing(self) -> bool:
        """Whether it plays."""

    @property
    def clocked(self) -> bool:
        """Whether it follows a MIDI clock."""

    def steer(self, name: str, value: float) -> None:
        """Sets one of its settings. Raises ConfigError."""

    def transport(self, what: str) -> None:
        """Carries out "start", "stop" or "continue"."""

    def takes(self, action: Action) -> bool:
        """Whether a user's action sets what the walk moves."""


class Conductor:
    """Takes messages on any thread, and calls the engine on one.

    engine: of the shape of `live.engine.Engine`. say: prints one line; each kind of fault is said once. members: of a lower MPE zone from
    the start. done: called with each action after it was carried out. follower: of a MIDI clock,
    if one is followed. sender: of one that is sent.
    """

    def __init__(
        self, engine: Any, *, say: Callable[[str], None], mapping: Mapping | None = None, members: int = 0, walk: Steered | None = None,
        done: Iterable[Callable[[Action], None]] = (),
    ):  # fmt: skip
        self.engine, self.mapping, self.walk = engine, mapping or Mapping(), walk
        self.follower: Follower | None = None
        self.sender: ClockSender | None = None
        self.inbox, self.reports = Inbox(), Reports(say)
        self.listeners = list(done)
        self._receiver, self._lock = MidiReceiver(members=members), threading.Lock()
        self._last: float | None = None
        if self.sources:
            self.mapping.set_programs(len(self.sources))

    @property
    def sources(self) -> Sequence[Numbered]:
        """The instruments that are played; none where the engine does not say."""
        return getattr(getattr(self.engine, "sounds", None), "sources", ())

    def midi(self, message: bytes) -> None:
        """Takes a MIDI message, on any thread."""
        self.put(self.midi_actions(message))

    def clock(self, message: bytes, seconds: float) -> None:
        """Takes a MIDI message of the port of a clock, on any thread; only those of the clock count. seconds: of `time.monotonic`."""
        if self.follower is not None:
            self.follower.receive(message, seconds)
        if self.sender is not None and message[:1] and message[0] in MESSAGES:
            self.sender.put(message)

    def midi_actions(self, message: bytes) -> list[Action]:
        """Returns what a MIDI message does: by the mapping where that names it, else as MIDI has it."""
        mapped = self.mapping.midi(message)
        if mapped is not None:
            return mapped
        with self._lock:
            return self._receiver.receive(message)

    def put(self, actions: Iterable[Action]) -> None:
        """Queues actions, on any thread."""
        for action in actions:
            self.inbox.put(action)

    def step(self, seconds: float = 0.0) -> int:
        """Carries out what waits, for which it waits at most `seconds`. Returns how many actions there were."""
        actions = self.inbox.take(seconds)
        now = time.monotonic()
        passed, self._last = now - (now if self._last is None else self._last), now
        return self.carry_out([*actions, *self.mapping.advance(passed)], by_user=True)

    def carry_out(self, actions: Iterable[Action], *, at: int | None = None, by_user: bool = False) -> int:
        """Calls the engine, on the thread that controls it. A refused action is reported, and the next one follows.

        at: sample of the engine for actions that take one; None: at once. by_user: what a walk moves, it then moves about the user's value.
        Returns their number.
        """
        count = 0
        for action in actions:
            count += 1
            problem = self._attempt(action, at, by_user)
            if problem is not None:
                self.reports.add(f"refused {action.name}", problem)
                if action.refused is not None:
                    action.refused(problem)
        return count

    def _attempt(self, action: Action, at: int | None, by_user: bool) -> str | None:
        """Carries out one action. Returns why it could not be, None if it was."""
        try:
            if action.name.startswith("walk_") or action.name == "transport":
                if self.walk is None:
                    return "no walk plays; start one with --walk kits or --walk notes"
                if action.name == "transport":
                    self.walk.transport(action.values[0])
                else:
                    self.walk.steer(action.name.removeprefix("walk_"), action.values[0])
            elif action.name == CLOCK_OUT:
                if self.sender is not None:
                    self.sender.put(action.values[0], at)
            else:
                action.carry_out(self.engine, at=at)
                if by_user and self.walk is not None:
                    self.walk.takes(action)
            for listener in self.listeners:
                listener(action)
        except TimbrespaceError as error:
            return counted_from_one(action, str(error), self.sources)
        except Exception as error:  # the sound goes on, whatever an event does
            return f"{action.name} failed ({type(error).__name__}: {error}); this is a bug in timbrespace"
        return None
