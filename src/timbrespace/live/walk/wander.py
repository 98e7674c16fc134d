"""Values that wander within bounds for ever: each goes smoothly from one random value to the next, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Sequence

from timbrespace.live.actions import Action
from timbrespace.live.walk.bounds import Bound
from timbrespace.noise import Noise, Purpose

PERIOD = 16.0  # beats from one random value to the next at speed 1


class Wander:
    """One walk in several dimensions. Value k of dimension d is drawn from the stream (0, d, k), so that any place can be computed.

    speed, spread: factor of the pace, at 0 nothing moves; share of the bounds about the centre, 0 to 1. A value that the user sets
    becomes the centre of its dimension. place: in periods of random values.
    """

    def __init__(self, bounds: Sequence[Bound], seed: int):
        self.bounds, self.speed, self.spread = list(bounds), 1.0, 1.0
        self._seed, self.place = seed, 0.0
        self._knots: dict[tuple[int, int], float] = {}
        self._centres = [(bound.low + bound.high) / 2 for bound in bounds]

    def advance(self, beats: float) -> None:
        """Goes on by a number of beats."""
        self.place += beats / PERIOD * self.speed

    def values(self) -> list[float]:
        """Returns the present values, each within its bounds."""
        out = []
        for dimension, (bound, centre) in enumerate(zip(self.bounds, self._centres, strict=True)):
            # Dimensions pass their knots one after the other, so that they do not all rest at once.
            place = self.place + dimension / len(self.bounds)
            knot = int(place)
            f = place - knot
            smooth = f * f * (3 - 2 * f)
            left, right = self._knot(dimension, knot), self._knot(dimension, knot + 1)
            share = left + (right - left) * smooth
            wide = bound.low + (bound.high - bound.low) * share
            out.append(min(max(centre + self.spread * (wide - (bound.low + bound.high) / 2), bound.low), bound.high))
        return out

    def actions(self) -> list[Action]:
        """Returns the actions that set the present values."""
        return [bound.action(value) for bound, value in zip(self.bounds, self.values(), strict=True)]

    def centre(self, action: Action) -> bool:
        """Takes a value that the user set as the centre of its dimension. Returns whether the walk moves it at all."""
        for dimension, bound in enumerate(self.bounds):
            if bound.action(0.0).key == action.key:
                self._centres[dimension] = min(max(float(action.values[1]), bound.low), bound.high)
                return True
        return False

    def _knot(self, dimension: int, number: int) -> float:
        """The random value 0 to 1 at a knot; only those about the present place are kept."""
        key = (dimension, number)
        if key not in self._knots:
            if len(self._knots) > 4 * len(self.bounds):
                self._knots.clear()
            self._knots[key] = float(Noise(self._seed, Purpose.LIVE, 0, dimension, number).uniform(1)[0])
        return self._knots[key]
