"""Which messages of a MIDI clock a source sends, as actions of their time."""

from __future__ import annotations

import math
from collections.abc import Callable

from timbrespace.live.actions import CLOCK_OUT, Action
from timbrespace.live.clock.follower import CONTINUE, POSITION, PULSE, START
from timbrespace.live.clock.pulses import PULSES

_NEAR = 1e-6  # pulses
_SIXTEENTH = PULSES // 4  # pulses


def sends(*message: int) -> Action:
    """Returns the action that sends a message."""
    return Action(CLOCK_OUT, (bytes(message),))


def position(beat: float) -> Action:
    """Returns the action that sends the song position, in sixteenths."""
    sixteenths = min(round(beat * 4), 16_383)
    return sends(POSITION, sixteenths & 127, sixteenths >> 7)


def pulses(begin: float, end: float) -> list[float]:
    """Returns the beats of the pulses from one beat up to before another."""
    first, last = math.ceil(begin * PULSES - _NEAR), math.ceil(end * PULSES - _NEAR)
    return [number / PULSES for number in range(first, last)]


class SentPulses:
    """The clock of a source whose beats have known samples, for `live.performance.Source`."""

    def __init__(self, sample_of: Callable[[float], float], beats: float):
        """sample_of: of a beat. beats: in all."""
        self._sample_of, self._beats = sample_of, beats
        self.begin()

    def begin(self) -> None:
        """The next messages are those of the start."""
        self._next, self._goes_on = 0, 0

    def go_on(self) -> list[Action]:
        """Goes on after a stop: from the next sixteenth on, since places have no finer names. Returns what to send at once."""
        self._goes_on = -(-self._next // _SIXTEENTH) * _SIXTEENTH
        return [position(self._goes_on / PULSES)] if 0 < self._goes_on < self._beats * PULSES else []

    def advance(self, until: int) -> list[tuple[int, Action]]:
        """Returns the messages before a sample."""
        out: list[tuple[int, Action]] = []
        while self._next / PULSES < self._beats and (sample := round(self._sample_of(self._next / PULSES))) < until:
            if self._next == self._goes_on:
                out.append((sample, sends(CONTINUE if self._next else START)))
            out.append((sample, sends(PULSE)))
            self._next += 1
        return out
