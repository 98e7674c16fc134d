"""Plays a walk or a MIDI file as a MIDI clock of another machine has it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from timbrespace.contracts import ConfigError
from timbrespace.live.actions import Action
from timbrespace.live.clock.audio_time import AudioTime
from timbrespace.live.clock.follower import CONTINUE, POSITION, PULSE, START, STOP, Follower, Phase
from timbrespace.live.walk.beats import Beats, FileBeats, WalkBeats
from timbrespace.live.walk.walk import Walk

_AHEAD, _FIRST = 0.03, 0.01  # s that events are handed over before their time; the first ones after a start, whose time is a guess
_SEARCH = 0.002  # s of a step for the place of a song position
_MESSAGES = 512  # that are carried out at once
_LATE = 0.1  # s after its time that a sound still starts
_PATIENCE = 5.0  # s after which a clock that never came is said to lack


class ClockedSource:
    """A source, see `live.performance`, that follows a clock. follower: gets its messages.

    Times of messages are in s of `time.monotonic` where a device plays (`observe`), else in s from the start.
    """

    clocked = True

    def __init__(
        self, played: Walk | FileBeats, follower: Follower, *, sample_rate: int, say: Callable[[str], None], name: str = "the MIDI clock"
    ):
        """say: shows a line; each kind of news is said once. name: of the clock, for these."""
        self._walk = played if isinstance(played, Walk) else None
        self._beats: Beats = WalkBeats(played) if isinstance(played, Walk) else played
        self.follower, self.time, self._say, self._name = follower, AudioTime(sample_rate), say, name
        self.ahead = 0.0  # s, see `Source`
        self._said: set[str] = set()
        self._last = 0  # sample of the last action
        self._since: float | None = None  # when it began to wait for the clock
        self._notes: dict[tuple[object, int | None, int | None], Action] = {}  # that sound: what lets each of them go

    # --- of a source ---------------------------------------------------------------------------------------------------

    def observe(self, sample: int, seconds: float) -> None:
        """Notes which sample, counted from the start, a device plays now, in s of `time.monotonic`."""
        self.ahead = _AHEAD
        self.time.observe(sample, seconds)

    def advance(self, until: int) -> list[tuple[int, Action]]:
        """Returns what happens before a sample, counted from the start, in order of time."""
        out: list[tuple[int, Action]] = []
        now = self._now(until)
        left = _MESSAGES if self.ahead else math.inf  # the keys of a player do not wait for a flood
        while left > 0 and (waiting := self.follower.next(now)) is not None:
            left -= 1
            seconds, message = waiting
            sample = round(self.time.sample_at(seconds))
            out += self._play(sample, seconds)
            self._last = max(self._last, sample)
            out += self._carry_out(seconds, message)
        out += self._play(until, now)
        self._say_what_lacks(now)
        return out

    # --- of a walk that is steered ---------------------------------------------------------------------------------------

    def steer(self, name: str, value: float) -> None:
        """See `Walk.steer`; the tempo is the clock's. Raises ConfigError."""
        if name == "tempo" or self._walk is None:
            raise ConfigError(f"the tempo is that of {self._name}; change it there, or leave out --clock")
        self._walk.steer(name, value)

    def transport(self, what: str) -> None:
        """As if the clock had sent "start", "stop" or "continue"."""
        kind = {"start": START, "stop": STOP, "continue": CONTINUE}[what]
        self.follower.receive(bytes((kind,)), time.monotonic())

    def takes(self, action: Action) -> bool:
        """See `Walk.takes`."""
        return self._walk is not None and self._walk.takes(action)

    @property
    def settings(self) -> tuple[str, ...]:
        """What `steer` sets: nothing of a MIDI file."""
        return () if self._walk is None else tuple(name for name in self._walk.settings if name != "tempo")

    @property
    def tempo(self) -> float | None:
        """Beats a minute of the clock, to a tenth; None before it has shown them."""
        return round(self.follower.pulses.tempo, 1) if self.follower.pulses.last > 0 else None

    @property
    def playing(self) -> bool:
        """Whether it plays, and the clock sends pulses."""
        return self.follower.phase is Phase.PLAYING

    def status(self) -> str:
        """Returns the state of the clock in a few words."""
        follower = self.follower
        if follower.pulses.last < 0:
            return "no MIDI clock"
        if follower.phase is Phase.PLAYING:
            beat = max(follower.beat_of(follower.pulses.last), 0.0)
            return f"MIDI clock {follower.pulses.tempo:.1f}, beat {int(beat) + 1}"
        return f"MIDI clock {follower.pulses.tempo:.1f}, {'waits for it' if follower.phase is Phase.LOST else follower.phase.value}"

    # --- inside ----------------------------------------------------------------------------------------------------------

    def _now(self, until: int) -> float:
        """Returns the present time in s. Events that are handed over ahead are due later."""
        return self.time.seconds_at(until) - self.ahead - self.time.latency

    def _play(self, until: int, now: float) -> list[tuple[int, Action]]:
        """Returns the events that are due before a sample."""
        follower, live = self.follower, self.ahead > 0
        missed = follower.look(now)
        if missed is not None:
            self._last = max(self._last, round(self.time.sample_at(missed)))
            return [(self._last, action) for action in self._let_go()]
        early = _AHEAD - _FIRST if live and follower.phase is Phase.STARTING else 0.0
        beat = follower.until(self.time.seconds_at(until) - early)
        out: list[tuple[int, Action]] = []
        if not self._beats.reached(_SEARCH if live else None):
            return out
        over = self.time.sample_at(now - _LATE) if live else -math.inf
        for at, action in self._beats.take(beat):
            sample = round(self.time.sample_at(follower.time_of(at)))
            if self._keeps(action, over=sample < over):
                self._last = max(self._last, sample)
                out.append((self._last, action))
        return out

    def _keeps(self, action: Action, *, over: bool) -> bool:
        """Notes which notes sound. Returns False for the end of one that does not, and for starts whose time is over."""
        if over and action.name in ("note_on", "pad"):
            return False
        if action.name not in ("note_on", "note_off"):
            return True
        key = (action.values[0], action.channel, action.id)
        if action.name == "note_off":
            return self._notes.pop(key, None) is not None
        self._notes[key] = Action("note_off", (action.values[0], 0), action.channel, action.id)
        return True

    def _let_go(self) -> list[Action]:
        actions = list(self._notes.values())
        self._notes.clear()
        return actions

    def _carry_out(self, seconds: float, message: bytes) -> list[tuple[int, Action]]:
        """Starts, stops, counts."""
        follower, kind = self.follower, message[0]
        if kind == PULSE:
            self._count(seconds)
        elif kind == START or (kind == CONTINUE and follower.phase is Phase.STOPPED):
            return self._start(seconds, 0.0 if kind == START else follower.position)
        elif kind == STOP and follower.phase is not Phase.STOPPED:
            follower.stop()
            self._beats.put_back(follower.position)
            self._news("stop", f"{self._name} stopped; start begins again, continue goes on")
            self._notes.clear()
            return [(self._last, Action("all_sound_off"))]
        elif kind == POSITION:
            follower.place(message[1] + 128 * message[2])
            self._beats.locate(follower.position)
            return [(self._last, action) for action in self._let_go()]
        return []

    def _start(self, seconds: float, position: float) -> list[tuple[int, Action]]:
        going_on = position > 0 and self.follower.phase is Phase.STOPPED
        self.follower.start(seconds, position=position)
        if not going_on:
            self._beats.locate(position)
        self._news("start", f"{self._name} starts at {'the beginning' if not position else f'beat {position + 1:g}'}")
        return [(self._last, action) for action in self._let_go()]

    def _count(self, seconds: float) -> None:
        follower = self.follower
        lost = follower.phase is Phase.LOST
        follower.pulse(seconds)
        pulses = follower.pulses
        if lost:
            self._news("back", f"{self._name} is back; playing goes on")
        elif pulses.steady and follower.phase is Phase.STOPPED and not follower.started:
            self._news("tempo", f"{self._name}: {pulses.tempo:.4g} beats a minute; it waits for start")
        if pulses.doubled > 1000 and pulses.doubled > 2 * pulses.last:
            self._news("flood", f"{self._name} sends more pulses than 24 a beat at 400 beats a minute; most are left out")

    def _news(self, kind: str, text: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self._say(text)

    def _say_what_lacks(self, now: float) -> None:
        """Says what a user may have to do."""
        follower = self.follower
        self._since = now if self._since is None else self._since
        if follower.phase is Phase.LOST:
            self._news("lost", f"{self._name} sends no more pulses, and no stop; it is waited for")
        elif follower.waits_for_pulses(now):
            self._news("no pulses", f"{self._name} sent start, and no pulses; let it send MIDI clock (sync) too")
        elif follower.pulses.last < 0 and not follower.started and now - self._since > _PATIENCE:
            self._news("none", f"nothing came from {self._name} yet; let the other machine send MIDI clock (sync)")
