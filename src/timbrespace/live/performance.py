"""What plays by itself: a MIDI file or a walk, rendered as fast as it can be, or in time with a device."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from timbrespace.live.actions import CLOCK_OUT, Action
from timbrespace.live.conductor import Conductor

_AHEAD = 0.03  # s from the first step to the first event, while a device plays
EARLY = 2 * _AHEAD  # s that events are handed to the engine before their time
_PIECE = 16_384  # samples that are rendered at once at most
# Methods of the engine that take a time; values are set when the events before them have been handed over.
_TIMED = ("note_on", "note_off", "pad", "sustain", "bend", "all_notes_off", "all_sound_off", CLOCK_OUT)


class Source(Protocol):
    """Something that plays by itself."""

    @property
    def ahead(self) -> float:
        """How many s a device gets its events before their time."""

    def observe(self, sample: int, seconds: float) -> None:
        """Notes which sample, counted from the start, a device plays now, in s of `time.monotonic`."""

    def advance(self, until: int) -> list[tuple[int, Action]]:
        """Returns what happens before a sample, counted from the start, in order of time; each action once."""


class Performance:
    """Sources that play on one engine. sample: where they are, counted from the start. engine: that plays them."""

    def __init__(self, conductor: Conductor, *sources: Source):
        self._conductor, self._sources = conductor, list(sources)
        self.engine = conductor.engine
        self._rate = conductor.engine.sample_rate
        self.sample = 0
        self._begin: int | None = None

    def render(self, frames: int) -> Iterator[np.ndarray]:
        """Yields the next samples `(n, 2)` of the engine, `frames` in all, with every event at its sample; also what waits in the queue."""
        end = self.sample + frames
        while self.sample < end:
            stop = min(self.sample + _PIECE, end)
            self._conductor.step()
            for sample, action in self._events(stop):
                yield from self._until(sample)
                self._conductor.carry_out([action])
            yield from self._until(stop)

    def step(self, seconds: float = 0.0) -> int:
        """Carries out what waits, for which it waits at most `seconds`, and `follow`s. Returns how many actions waited."""
        count = self._conductor.step(seconds)
        self.follow()
        return count

    def follow(self) -> None:
        """Hands over what happens in the next moments, while a device plays: to be called every few ms on the thread that controls.

        The events begin with the first call, and come at their samples.
        """
        now = self._conductor.engine.state().time
        if self._begin is None:
            self._begin = now + round(_AHEAD * self._rate)
        played, seconds = now - self._begin, time.monotonic()
        events = []
        if self._conductor.sender is not None:
            self._conductor.sender.time.observe(now, seconds)
        for source in self._sources:
            source.observe(played, seconds)
            events.append(source.advance(played + round(source.ahead * self._rate)))
        for sample, action in heapq.merge(*events, key=lambda timed: timed[0]):
            at = max(self._begin + sample, 1)
            self._conductor.carry_out([action], at=at if action.name in _TIMED else None)
        self.sample = max(self.sample, played)

    def _events(self, until: int) -> list[tuple[int, Action]]:
        return list(heapq.merge(*(source.advance(until) for source in self._sources), key=lambda timed: timed[0]))

    def _until(self, sample: int) -> Iterator[np.ndarray]:
        """Renders up to a sample, with the smoothed values of the mapping."""
        frames = sample - self.sample
        if frames > 0:
            self.sample = sample
            self._conductor.carry_out(self._conductor.mapping.advance(frames / self._rate))
            yield self._conductor.engine.render(frames)
