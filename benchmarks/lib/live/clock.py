"""How exactly the beat of a MIDI clock is found: pulses with jitter, tempos that change, beside plainer ways."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from lib.page import table
from timbrespace.live.clock.pulses import PULSES, Pulses, line

AHEAD = 0.03  # s that an event is handed over before its time
SEEDS, SETTLED = 5, 4 * PULSES
Times = np.ndarray


class Way(Protocol):
    """A way to find the times of pulses."""

    def add(self, seconds: float) -> object:
        """Takes a pulse."""

    def time_of(self, pulse: float) -> float:
        """Returns when a pulse is due."""


class FixedLine:
    """A line through a fixed number of pulses, counted as they come."""

    def __init__(self, window: int):
        self._points: deque[tuple[int, float]] = deque(maxlen=window)
        self._count, self._slope, self._origin = 0, 60 / 120 / PULSES, 0.0

    def add(self, seconds: float) -> None:
        """See `Way`."""
        self._points.append((self._count, seconds))
        self._count += 1
        if len(self._points) > 1:
            self._slope, self._origin, _ = line(list(self._points))

    def time_of(self, pulse: float) -> float:
        """See `Way`."""
        return self._origin + pulse * self._slope


WAYS: dict[str, Callable[[], Way]] = {
    "this": Pulses,
    "a line through 24 pulses": lambda: FixedLine(24),
    "through 96": lambda: FixedLine(96),
    "the last two pulses": lambda: FixedLine(2),
}


def steady(tempo: float, beats: int = 64) -> Times:
    """Times of pulses."""
    return np.arange(beats * PULSES) * 60 / tempo / PULSES


def step(before: float, after: float, beats: int = 16) -> Times:
    """A tempo, and at once another."""
    first = steady(before, beats)
    return np.concatenate([first, first[-1] + 60 / after / PULSES + steady(after, beats)])


def ramp(before: float, after: float, beats: int = 32) -> Times:
    """A tempo that goes evenly to another."""
    return np.concatenate([[0.0], np.cumsum(60 / PULSES / np.linspace(before, after, beats * PULSES))])


def errors(make: Callable[[], Way], times: Times, jitter: float) -> np.ndarray:
    """How far off each pulse is found `AHEAD` before it, `(seeds, pulses)`, ms. jitter: s, evenly spread to both sides."""
    out = np.empty((SEEDS, len(times)))
    for seed in range(SEEDS):
        arrivals = np.maximum.accumulate(times + np.random.default_rng(seed).uniform(-jitter, jitter, len(times)))
        way, at = make(), 0
        for number, time in enumerate(times):
            while at < len(arrivals) and arrivals[at] < time - AHEAD:
                way.add(float(arrivals[at]))
                at += 1
            out[seed, number] = 1000 * abs(way.time_of(number) - time)
    return out


def _figures(found: np.ndarray) -> str:
    return f"{np.median(found):.2f}, {np.percentile(found, 95):.2f}"


def clock_part() -> str:
    """Returns the tables."""
    rows: list[list[str]] = []
    for tempo in (20, 60, 120, 174, 300):
        for jitter in (0.001, 0.003):
            figures = [_figures(errors(make, steady(tempo), jitter)[:, SETTLED:]) for make in WAYS.values()]
            rows.append([str(tempo), f"{1000 * jitter:g}", *figures])
    changes: list[list[str]] = []
    for name, times in {
        **{
            f"{before} to {after} at once": step(before, after)
            for before, after in ((120, 121), (120, 140), (140, 120), (60, 120), (120, 60))
        },
        "100 to 140 in 32 beats": ramp(100, 140),
        "60 to 180 in 32 beats": ramp(60, 180),
    }.items():
        first = slice(16 * PULSES, 17 * PULSES) if "at once" in name else slice(SETTLED, None)
        later = slice(17 * PULSES, 20 * PULSES)
        for what, part in (("first beat", first), ("the three after it", later)) if "at once" in name else (("all", first),):
            changes.append([name, what, *[_figures(errors(make, times, 0.001)[:, part]) for make in WAYS.values()]])
    note = (
        "Error of the times of pulses that a walk is played by, 30 ms before they are due: median, and 95 % are under (ms), of five "
        "seeds; of steady tempos after four beats. What a tempo becomes is not known 30 ms before, so that the first pulses after a jump "
        "cannot be right."
    )
    tempos = table(["beats a minute", "jitter (± ms)", *WAYS], rows)
    return "\n\n".join([tempos, table(["tempo, jitter ± 1 ms", "beats", *WAYS], changes), note])
