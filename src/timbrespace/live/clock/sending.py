"""Which messages of a MIDI clock a source sends, as actions of their time."""

from __future__ import annotations

import math
from collections.abc import Callable

from timbrespace.live.actions import CLOCK_OUT, Action
from timbrespace.live.clock.follower import POSITION, PULSE, START
from timbrespace.live.clock.pulses import PULSES

_NEAR = 1e-6  # pulses


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
        self._sample_of, self._beats, self._next = sample_of, beats, 0

    def advance(self, until: int) -> list[tuple[int, Action]]:
        """Returns the messages before a sample."""
        out: list[tuple[int, Action]] = []
        while self._next / PULSES < self._beats and (sample := round(self._sample_of(self._next / PULSES))) < until:
            out += [(sample, sends(START))] if not self._next else []
            out.append((sample, sends(PULSE)))
            self._next += 1
        return out
