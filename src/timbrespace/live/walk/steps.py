"""Steps of a walk, in beats, one after the other; each kind can go back to where it was."""

from __future__ import annotations

from typing import Any, Protocol

from timbrespace.live.actions import Action
from timbrespace.live.walk.bounds import Playable
from timbrespace.live.walk.chain import Chain
from timbrespace.live.walk.patterns import KitPattern, NotePattern
from timbrespace.noise import Noise, Purpose

Step = tuple[float, list[tuple[float, Action]]]  # beats to the next one; actions, with beats from its start


class Steps(Protocol):
    """What a walk plays."""

    def next(self, density: float) -> Step:
        """Returns the next step. density: of the hits, 1 is usual."""

    def state(self) -> Any:
        """Returns where it is, for `restore`."""

    def restore(self, state: Any) -> None:
        """Goes to where it was."""


def pattern_steps(instrument: Playable, kind: str, seed: int) -> Steps:
    """Returns the patterns of "kits" or "notes"."""
    return PatternSteps(NotePattern(instrument, seed) if kind == "notes" else KitPattern(instrument, seed))


class PatternSteps:
    """Sixteenths of a pattern."""

    def __init__(self, pattern: KitPattern | NotePattern):
        self._pattern, self._number = pattern, 0

    def next(self, density: float) -> Step:
        """See `Steps`."""
        self._number += 1
        return 0.25, self._pattern.step(self._number - 1, density)

    def state(self) -> Any:
        """See `Steps`."""
        return self._number, self._pattern.state()

    def restore(self, state: Any) -> None:
        """See `Steps`."""
        self._number, pattern = state
        self._pattern.restore(pattern)


class ChainSteps:
    """States of a Markov chain."""

    def __init__(self, chain: Chain, seed: int):
        self._chain, self._seed, self._number = chain, seed, 0

    def next(self, density: float) -> Step:
        """See `Steps`."""
        state = self._chain.next()
        struck: list[tuple[float, Action]] = []
        if float(Noise(self._seed, Purpose.LIVE, 3, self._number).uniform(1)[0]) < density:
            for played in state.notes:
                struck.append((0.0, Action("note_on", (played.note, played.velocity))))
                struck.append((played.length, Action("note_off", (played.note, 0))))
        self._number += 1
        return state.gap, struck

    def state(self) -> Any:
        """See `Steps`."""
        return self._number, self._chain.place

    def restore(self, state: Any) -> None:
        """See `Steps`."""
        self._number, self._chain.place = state
