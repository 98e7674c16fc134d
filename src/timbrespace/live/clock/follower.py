"""Where a song is, by the messages of a MIDI clock: start, stop, continue, song position, and pulses (MIDI 1.0, "System real time").

Start and continue take effect with the pulse after them. A clock whose pulses stop without a stop is waited for.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from enum import Enum

from timbrespace.live.clock.pulses import PULSES, SILENCE, Pulses

POSITION, PULSE, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
MESSAGES = (POSITION, PULSE, START, CONTINUE, STOP)
_ROOM = 65_536  # messages that wait
_ON = 0.25  # s that a song goes on without pulses, but a sixteenth at least


class Phase(Enum):
    """What a follower does."""

    STOPPED = "stopped"
    STARTING = "starting"  # start or continue came, the pulse after it not yet
    PLAYING = "playing"
    LOST = "lost"  # playing, without pulses


class Follower:
    """Follows a clock. `receive` may be called on any thread, the rest on one, in order of time. Times are in s of one steady clock.

    phase: see `Phase`. started: how often a start or continue came. pulses: the clock's. position: beat where a continue begins.
    """

    def __init__(self, tempo: float = 120.0):
        """tempo: beats a minute before the clock shows its own."""
        self.pulses, self.phase, self.started, self.position = Pulses(tempo), Phase.STOPPED, 0, 0.0
        self._first, self._beat, self._since = 0, 0.0, 0.0  # the pulse at which beat `_beat` is; when start came
        self._anchored = True  # whether the pulse at `_beat` came
        self._messages: deque[tuple[float, bytes]] = deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def receive(self, message: bytes, seconds: float) -> None:
        """Takes a whole MIDI message that arrived at a time; others than those of a clock do nothing."""
        if not message or message[0] not in MESSAGES:
            return
        if message[0] == POSITION and (len(message) < 3 or max(message[1:3]) > 127):
            return
        with self._lock:
            if len(self._messages) < _ROOM:
                self._messages.append((seconds, message))
            else:
                self.dropped += 1

    def next(self, until: float) -> tuple[float, bytes] | None:
        """Returns the next message that arrived at or before a time, and forgets it."""
        with self._lock:
            return self._messages.popleft() if self._messages and self._messages[0][0] <= until else None

    def start(self, seconds: float, *, position: float = 0.0) -> None:
        """Begins at a beat, with the next pulse."""
        self.started += 1
        self.phase, self.position, self._since = Phase.STARTING, position, seconds
        self._first, self._beat, self._anchored = self.pulses.last + 1, position, False

    def stop(self) -> None:
        """Stops. A continue goes on with the beat of the next pulse."""
        if self.phase in (Phase.PLAYING, Phase.LOST):
            self.position = self.beat_of(self.pulses.last + 1)
        self.phase = Phase.STOPPED

    def place(self, sixteenths: int) -> None:
        """Sets the position; while it plays, with the next pulse."""
        self.position = sixteenths / 4
        self._first, self._beat, self._anchored = self.pulses.last + 1, self.position, False

    def pulse(self, seconds: float) -> None:
        """Takes a pulse."""
        if self._anchored:
            self.pulses.add(seconds)
        else:
            self.pulses.anchor(seconds)
            self.pulses.add(seconds)
            self._first, self._anchored = self.pulses.last, True
        if self.phase in (Phase.STARTING, Phase.LOST):
            self.phase = Phase.PLAYING

    def look(self, seconds: float) -> float | None:
        """Notes that it is now so late. Returns when the pulses were missed, where they were just now; else None."""
        if self.phase is not Phase.PLAYING or seconds - self.pulses.latest <= SILENCE:
            return None
        self.phase = Phase.LOST
        return self.pulses.latest + SILENCE

    def waits_for_pulses(self, seconds: float) -> bool:
        """Whether a start came a second ago, and no pulse since."""
        return self.phase is Phase.STARTING and seconds - max(self._since, self.pulses.latest) > SILENCE

    def beat_of(self, pulse: float) -> float:
        """Returns the beat at a pulse."""
        return self._beat + (pulse - self._first) / PULSES

    def time_of(self, beat: float) -> float:
        """Returns when a beat is due, in s."""
        return self.pulses.time_of(self._first + (beat - self._beat) * PULSES)

    def until(self, seconds: float) -> float:
        """Returns the beat before which all that is due before a time is certain enough to be played; -inf: nothing."""
        if self.phase is Phase.STARTING:
            # The first beat comes with the next pulse of a clock that was there before.
            if not self.pulses.steady or self._since > self.pulses.time_of(self.pulses.last + 2):
                return -math.inf
            return self._limit(seconds, self._first + 1)
        if self.phase is not Phase.PLAYING:
            return -math.inf
        on = max(6.0, _ON / (60 / self.pulses.tempo / PULSES))
        return self._limit(seconds, self.pulses.last + on)

    def _limit(self, seconds: float, pulse: float) -> float:
        origin, period = self.pulses.time_of(0), 60 / self.pulses.tempo / PULSES
        return self.beat_of(min((seconds - origin) / period, pulse))
