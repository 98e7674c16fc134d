"""What a walk or a MIDI file plays, by beats: for a clock that starts, stops and moves it."""

from __future__ import annotations

import heapq
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Protocol

from timbrespace.live.actions import Action
from timbrespace.live.midi.file import MidiFile
from timbrespace.live.walk.walk import Walk

_MARKS = 16.0  # beats between two places to which it can go back at once
_FARTHEST = 4_096.0  # beats, of a song position pointer

TimedBeat = tuple[float, Action]


class Beats(Protocol):
    """Something that is played by beats, counted from its start."""

    def locate(self, beat: float) -> None:
        """The next actions are those from this beat on."""

    def reached(self, seconds: float | None) -> bool:
        """Whether the place of `locate` is found; searches for at most so long, None: until it is."""

    def take(self, beat: float) -> list[TimedBeat]:
        """Returns the actions before a beat, in order, each once."""

    def put_back(self, beat: float) -> None:
        """Actions from this beat on that were taken will be taken again."""


class _Taken:
    """Actions in order of time, and those of the last beats once more. Memory does not grow."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Action]] = []
        self._taken: list[tuple[float, int, Action]] = []
        self._number = 0

    def clear(self) -> None:
        self._waiting.clear()
        self._taken.clear()

    def put(self, beat: float, action: Action) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (beat, self._number, action))

    def take(self, beat: float) -> list[TimedBeat]:
        out: list[TimedBeat] = []
        if self._waiting and self._waiting[0][0] < beat:
            self._taken = [one for one in self._taken if one[0] > beat - 2]
        while self._waiting and self._waiting[0][0] < beat:
            one = heapq.heappop(self._waiting)
            self._taken.append(one)
            out.append((one[0], one[2]))
        return out

    def put_back(self, beat: float) -> None:
        for one in self._taken:
            if one[0] >= beat:
                heapq.heappush(self._waiting, one)
        self._taken = [one for one in self._taken if one[0] < beat]


class WalkBeats:
    """A walk. The same place has the same music, whichever way it is reached: steps before it are gone through, from the nearest mark."""

    def __init__(self, walk: Walk):
        self._walk = walk
        self._beat = self._wanted = 0.0  # where the next step begins; the first beat that is played
        self._actions = _Taken()
        self._marks: list[tuple[float, Any]] = [(0.0, walk.state())]

    def locate(self, beat: float) -> None:
        """See `Beats`."""
        self._actions.clear()
        self._wanted = beat
        at, state = self._marks[bisect_right(self._marks, beat, key=lambda mark: mark[0]) - 1]
        if not at <= self._beat <= beat:
            self._beat = at
            self._walk.restore(state)

    def reached(self, seconds: float | None) -> bool:
        """See `Beats`."""
        end = None if seconds is None else time.perf_counter() + seconds
        while self._beat + 1 <= self._wanted:
            if end is not None and time.perf_counter() > end:
                return False
            self._step()
        return True

    def take(self, beat: float) -> list[TimedBeat]:
        """See `Beats`."""
        while self._beat < beat:
            self._step()
        return self._actions.take(beat)

    def put_back(self, beat: float) -> None:
        """See `Beats`."""
        self._actions.put_back(beat)

    def _step(self) -> None:
        if self._marks[-1][0] + _MARKS <= self._beat <= _FARTHEST:
            self._marks.append((self._beat, self._walk.state()))
        length, actions = self._walk.step()
        for offset, action in actions:
            if self._beat + offset >= self._wanted:
                self._actions.put(self._beat + offset, action)
        self._beat += length


class FileBeats:
    """A MIDI file, once."""

    def __init__(self, file: MidiFile, midi: Callable[[bytes], list[Action]]):
        """midi: what a message does."""
        self._messages, self._midi, self._next = file.messages, midi, 0

    def locate(self, beat: float) -> None:
        """See `Beats`."""
        self._next = bisect_left(self._messages, beat, key=lambda timed: timed.beats)

    def reached(self, seconds: float | None) -> bool:
        """See `Beats`."""
        return True

    def take(self, beat: float) -> list[TimedBeat]:
        """See `Beats`."""
        out: list[TimedBeat] = []
        while self._next < len(self._messages) and self._messages[self._next].beats < beat:
            timed = self._messages[self._next]
            out += [(timed.beats, action) for action in self._midi(timed.message)]
            self._next += 1
        return out

    def put_back(self, beat: float) -> None:
        """See `Beats`."""
        while self._next and self._messages[self._next - 1].beats >= beat:
            self._next -= 1
