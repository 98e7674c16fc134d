"""The fluctuation of one note as a pattern that another note can have: cut to its length, or repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timbrespace.modulation.fluctuation import SECONDS, Fluctuation
from timbrespace.voices.frames import Values

_SEAM_PERIODS = 0.5  # over which the end of the repeated part fades into its start
_GROWTH_SECONDS = 0.35  # of an added modulation


@dataclass(frozen=True)
class Pattern:
    """A fluctuation `(frames,)` from the start of its note; `begin` to `end` is the repeated part, whole periods long. delay: s."""

    values: Values
    begin: int
    end: int
    delay: float
    rate: float
    depth: float

    def at(self, count: int, *, speed: float = 1.0) -> Values:
        """Returns the pattern for a note `(count,)`. speed: of all that follows the delay."""
        start = min(self.delay / SECONDS, self.begin)
        places = np.arange(count, dtype=np.float64)
        places = np.where(places > start, start + (places - start) * speed, places)
        length = self.end - self.begin
        return np.asarray(np.interp(_folded(places, self.end, length), np.arange(len(self.values)), self.values))


def _folded(places: Values, end: float, length: float) -> Values:
    return np.where(places < end, places, end - length + np.mod(places - end, length)) if length > 0 else np.minimum(places, end)


def pattern_of(found: Fluctuation, *, like: Pattern | None = None) -> Pattern:
    """Returns the pattern of a note. like: one of the same note at nearly the same rate, whose repeated part this one shares.

    The repeated part begins and ends where the fluctuation rises through 0, and its end is faded into the part before its start.
    """
    values = found.values
    period = 1 / (found.rate * SECONDS)
    start = found.delay / SECONDS + period
    rising = np.flatnonzero((values[:-1] <= 0) & (values[1:] > 0)) + 1
    rising = rising[(rising >= min(start, len(values) - 2.5 * period)) & (rising <= len(values) - 0.5 * period)]
    if like is not None:
        begin, end = min(like.begin, len(values) - 1), min(like.end, len(values))
    elif len(rising) >= 2:
        begin, end = int(rising[0]), int(rising[-1])
    else:
        begin = max(0, len(values) - round(period * max(1, int((len(values) - start) / period))))
        end = len(values)
    faded = values.copy()
    width = min(round(_SEAM_PERIODS * period), begin, end - begin)
    if width > 1:
        share = (np.arange(width) + 0.5) / width
        share = 0.5 - 0.5 * np.cos(np.pi * share)
        faded[end - width : end] = faded[end - width : end] * (1 - share) + values[begin - width : begin] * share
    return Pattern(np.append(faded[:end], faded[begin]), begin, end, found.delay, found.rate, found.depth)


def sine(rate: float, depth: float, *, delay: float, seconds: float) -> Pattern:
    """Returns a modulation that grows to its depth after a delay, for a note of that length."""
    count = round(seconds / SECONDS) + 1
    time = np.arange(count) * SECONDS
    growth = min(_GROWTH_SECONDS, max(0.5 * (seconds - delay), 1e-3))
    size = np.clip((time - delay) / growth, 0.0, 1.0)
    size = 0.5 - 0.5 * np.cos(np.pi * size)
    return Pattern(depth * size * np.sin(2 * np.pi * rate * (time - delay)), 0, count, 0.0, rate, depth)
