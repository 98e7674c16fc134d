"""The patterns of a walk: which rhythms an instrument plays, and how they change in time."""

from __future__ import annotations

import dataclasses
from typing import Any

from timbrespace.live.actions import Action
from timbrespace.live.walk.bounds import Playable
from timbrespace.live.walk.rhythm import TICKS, Hit, Rhythm, Scheduler
from timbrespace.noise import Noise, Purpose

_EVOLVES = 64  # steps after which one rhythm is drawn anew
_LANES = 8  # rhythms at once
_KICKS, _SNARES, _CLOSED, _OPEN = (35, 36), (37, 38, 39, 40), (42, 44), (46,)
_SCALE = (0, 3, 5, 7, 10)  # minor pentatonic
_HIGHEST_ROOT = 60
_GATES = (0.5, 1.0, 1.0, 2.0, 3.0)  # sixteenths that a note is held


class _Draws:
    """Random numbers by name: the same whenever and in whatever order they are asked for."""

    def __init__(self, seed: int):
        self._seed = seed

    def __call__(self, lane: int, number: int, count: int = 8) -> list[float]:
        return [float(value) for value in Noise(self._seed, Purpose.LIVE, 1, lane, number).uniform(count)]


class _Lanes:
    """Rhythms that are drawn anew, one after the other."""

    def __init__(self, kinds: list[str], seed: int):
        self._scheduler, self._draw, self._seed = Scheduler(), _Draws(seed), seed
        self._kinds = kinds
        self.rhythms = [self._drawn(lane, 0) for lane in range(len(kinds))]

    def hits(self, number: int, density: float) -> list[tuple[int, float, Hit]]:
        """Returns lane, offset in beats from the step, and hit of what sounds in a step."""
        if number and number % _EVOLVES == 0:
            turn = number // _EVOLVES
            lane = int(self._draw(64, turn, 1)[0] * len(self.rhythms))
            self.rhythms[lane] = self._drawn(lane, turn)
        found = []
        for lane, rhythm in enumerate(self.rhythms):
            pulses = min(round(rhythm.pulses * density), rhythm.length)
            hit = self._scheduler.hit(lane, dataclasses.replace(rhythm, pulses=pulses), self._seed, number)
            if hit is not None:
                found.append((lane, hit.tick / TICKS - number / 4, hit))
        return found

    def _drawn(self, lane: int, turn: int) -> Rhythm:
        a, b, c, d, *_ = self._draw(lane, turn)
        swing = 0.5 + 0.12 * self._draw(65, 0, 1)[0]
        even = int(a * 3)
        return {
            "kick": Rhythm(16, 3 + even, 0, velocity=112, depth=8, swing=swing),
            "snare": Rhythm(16, 2, 4, velocity=108, depth=10, swing=swing),
            "closed": Rhythm(16, 8 + 2 * even, 0, chance=0.9, velocity=78, depth=24, period=4, swing=swing),
            "open": Rhythm(16, 1 + even, int(b * 16), chance=0.7, velocity=82, depth=16, swing=swing),
            "other": Rhythm(12 + int(c * 5), 1 + even, int(b * 16), chance=0.4 + 0.4 * d, velocity=84, depth=24, swing=swing),
            "bass": Rhythm(16, 3 + even, 0, velocity=100, depth=10, swing=swing),
            "melody": Rhythm(16, 5 + 2 * even, int(b * 4), chance=0.85, velocity=92, depth=24, swing=swing),
            "answer": Rhythm(12 + int(c * 5), 2 + even, int(b * 16), chance=0.6, velocity=80, depth=20, swing=swing),
        }[self._kinds[lane]]


class KitPattern:
    """Drums: one kick, one snare, hats, and a few of the others."""

    def __init__(self, instrument: Playable, seed: int):
        chosen: list[tuple[int, str]] = []
        count = {"kick": 1, "snare": 1, "closed": 1, "open": 1}
        order = _Draws(seed)(66, 0, max(len(instrument.pads), 1))
        for pad in sorted(range(len(instrument.pads)), key=lambda pad: order[pad]):
            kind = _kind_of(instrument.pads[pad])
            if kind in count:
                count[kind] -= 1
            if count.get(kind, 0) >= 0:
                chosen.append((pad, kind))
        # The others are what room is left: the drums above come first.
        chosen = sorted(chosen, key=lambda one: one[1] == "other")[:_LANES]
        self._pads = [pad for pad, _ in chosen]
        self._lanes = _Lanes([kind for _, kind in chosen], seed)

    def step(self, number: int, density: float) -> list[tuple[float, Action]]:
        """Returns what a sixteenth plays, with offsets in beats."""
        out = []
        for lane, offset, hit in self._lanes.hits(number, density):
            for time in range(hit.times):
                out.append((offset + time * hit.length / hit.times / TICKS, Action("pad", (self._pads[lane], _velocity(hit.velocity)))))
        return out

    def state(self) -> Any:
        """Returns the rhythms, for `restore`."""
        return list(self._lanes.rhythms)

    def restore(self, state: Any) -> None:
        """Goes back to the rhythms of then."""
        self._lanes.rhythms = list(state)


class NotePattern:
    """Notes of a minor pentatonic scale within the range of an instrument: a bass, a melody, an answer. Each goes by small steps."""

    def __init__(self, instrument: Playable, seed: int):
        self._draw = _Draws(seed)
        low, high = max(round(instrument.lowest), 24), min(round(instrument.highest), 96)
        root = min(max(low, 33), _HIGHEST_ROOT) + int(self._draw(67, 0, 1)[0] * 12)
        self._scale = [note for note in range(low, max(high, low) + 1) if (note - root) % 12 in _SCALE] or [low]
        self._lanes = _Lanes(["bass", "melody", "answer"], seed)
        count = len(self._scale)
        self._spans = [(0, max(count // 3, 1)), (count // 3, count), (count // 4, count)]
        self._places = [start for start, _ in self._spans]
        self._places[1] = count // 2

    def step(self, number: int, density: float) -> list[tuple[float, Action]]:
        """Returns what a sixteenth plays, with offsets in beats."""
        out = []
        for lane, offset, hit in self._lanes.hits(number, density):
            move, gate, *_ = self._draw(68 + lane, number, 2)
            start, end = self._spans[lane]
            place = self._places[lane] + round((2 * move - 1) * 2.49)
            place = 2 * start - place if place < start else 2 * (end - 1) - place if place >= end else place
            self._places[lane] = place = min(max(place, start), end - 1)
            note, length = self._scale[place], _GATES[int(gate * len(_GATES))] / 4 * (2 if lane == 0 else 1)
            out.append((offset, Action("note_on", (note, _velocity(hit.velocity)))))
            out.append((offset + length, Action("note_off", (note, 0))))
        return out

    def state(self) -> Any:
        """Returns the rhythms and pitches, for `restore`."""
        return list(self._lanes.rhythms), list(self._places)

    def restore(self, state: Any) -> None:
        """Goes back to the rhythms and pitches of then."""
        rhythms, places = state
        self._lanes.rhythms, self._places = list(rhythms), list(places)


def _velocity(value: float) -> int:
    return min(max(round(value), 1), 127)


def _kind_of(note: int) -> str:
    for kind, notes in (("kick", _KICKS), ("snare", _SNARES), ("closed", _CLOSED), ("open", _OPEN)):
        if note in notes:
            return kind
    return "other"
