"""Tempo and phase of a MIDI clock: a straight line through the times of its last pulses.

The line is fitted by least squares over as many pulses as agree with it, at most four beats: a long window where the tempo is steady,
which averages the jitter of USB and of drivers, a short one after the tempo changed (the rule of intersecting confidence intervals,
Goldenshluger and Nemirovski 1997, in its simplest form: a window is too long where the mean of its last residuals is larger than jitter
explains). One pulse that is far off is not believed before the next one agrees.
"""

from __future__ import annotations

import itertools
import math
from collections import deque

PULSES = 24  # a quarter note (MIDI 1.0)
SLOWEST, FASTEST = 15.0, 400.0  # beats a minute that are followed
_LONGEST, _SHORTEST = 60 / SLOWEST / PULSES, 60 / FASTEST / PULSES  # s between two pulses
SILENCE = 1.0  # s without a pulse after which a clock has stopped
_WINDOWS = (96, 48, 24, 12, 6)  # pulses of a line
_FEWEST = 4
_ENDS = (2, 3, 6, 12)  # pulses whose mean residual is tested
_DOUBT = 3.0  # standard deviations
_JITTER = (0.0002, 0.001, 0.004)  # s: least, first and largest mean deviation that is assumed
_SURE = 12  # pulses after which a line tells dropped and doubled pulses from late ones
_RECENT, _REGULAR = 12, 5  # arrivals that are kept; of these that show another tempo


class Pulses:
    """Counts pulses by their times. A dropped pulse is counted, a doubled one is not; jumps of the tempo are followed.

    last: number of the last pulse, from 0; -1: none yet. dropped, doubled: how many. Times are in s of any clock that goes on steadily.
    """

    def __init__(self, tempo: float = 120.0):
        """tempo: beats a minute that are assumed before two pulses came."""
        self.last, self.dropped, self.doubled = -1, 0, 0
        self._period, self._origin = 60 / tempo / PULSES, 0.0  # s; the time of pulse 0 on the line
        self._points: deque[tuple[int, float]] = deque(maxlen=_WINDOWS[0])
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=_RECENT)  # all of them, and the number after each
        self._heard = -math.inf  # when the last one came, whether it counts or not
        self._jitter = _JITTER[1]
        self._suspect = 0.0  # how far off the last pulse was, where it was not believed
        self._skipped = 0  # pulses that seem to lack before the last one

    @property
    def tempo(self) -> float:
        """Beats a minute."""
        return 60 / self._period / PULSES

    @property
    def steady(self) -> bool:
        """Whether a beat of pulses shows the tempo."""
        return len(self._points) >= PULSES

    @property
    def latest(self) -> float:
        """When the last pulse came; -inf: none yet."""
        return self._arrivals[-1][0] if self._arrivals else -math.inf

    def time_of(self, pulse: float) -> float:
        """Returns when a pulse, or a place between two, is due, in s."""
        return self._origin + pulse * self._period

    def add(self, seconds: float) -> bool:
        """Takes the time of a pulse, not before that of an earlier one. Returns whether it counts."""
        seconds = max(seconds, self.latest)
        before, self._heard = self._heard, seconds
        if seconds - before < _SHORTEST / 4:  # no tempo has these; of a flood none counts
            self.doubled += 1
            return False
        if seconds - self.latest > SILENCE:
            self._begin()
        number = self._number(seconds)
        counts = number > self.last
        self._arrivals.append((seconds, max(number, self.last)))
        if not counts:
            self.doubled += 1
        else:
            self._take(number, seconds)
        self._look_for_jump()
        return counts

    def anchor(self, seconds: float) -> None:
        """The next pulse, which comes at this time, counts as one: some machines begin a new grid with a start."""
        self._arrivals.clear()
        self._heard, self._skipped = -math.inf, 0
        if abs(seconds - self.time_of(self.last + 1)) > self._period / 4:
            self._points.clear()
            self._origin = seconds - (self.last + 1) * self._period

    def _begin(self) -> None:
        """Forgets the phase, keeps the tempo: the clock stopped."""
        self._points.clear()
        self._arrivals.clear()
        self._suspect = 0.0
        self._skipped = 0

    def _number(self, seconds: float) -> int:
        """The number of a pulse: that whose time on the line is nearest."""
        if len(self._points) < _SURE:
            return self.last + 1
        return max(round((seconds - self._origin) / self._period), self.last)

    def _take(self, number: int, seconds: float) -> None:
        skipped = number - self.last - 1
        self.dropped += skipped
        if skipped and skipped == self._skipped:  # as many lack twice: the clock is slower
            self._count_again()
            return
        self._skipped = skipped
        self.last = number
        if not self._points:
            self._points.append((number, seconds))
            self._origin = seconds - number * self._period
            return
        off = seconds - self.time_of(number)
        far = len(self._points) >= 6 and abs(off) > 5 * self._jitter
        self._suspect = 0.0 if far and self._suspect * off > 0 else off if far else 0.0
        self._measure_jitter(seconds)
        self._points.append((number, seconds))
        self._fit()

    def _fit(self) -> None:
        """Fits the line to the longest window that it agrees with."""
        points = list(self._points)
        if self._suspect and self._suspect_alone(points):
            points = points[:-1]
        for window in sorted({len(points), *(one for one in _WINDOWS if one < len(points))}, reverse=True):
            period, origin, residuals = line(points[-window:])
            if self._agrees(residuals):
                break
        else:
            period, origin, _ = line(points[-_FEWEST:])
        if _SHORTEST <= period <= _LONGEST:
            self._period, self._origin = period, origin

    def _suspect_alone(self, points: list[tuple[int, float]]) -> bool:
        number, seconds = points[-2]
        return abs(seconds - self.time_of(number)) <= 5 * self._jitter or self._suspect * (seconds - self.time_of(number)) < 0

    def _agrees(self, residuals: list[float]) -> bool:
        for count in _ENDS:
            if 2 * count <= len(residuals) and abs(sum(residuals[-count:])) > _DOUBT * 1.25 * self._jitter * math.sqrt(count):
                return False
        return True

    def _measure_jitter(self, seconds: float) -> None:
        """By the second differences of the times, which a change of the tempo hardly touches. A new tempo alone gives one large one."""
        if len(self._points) < 2:
            return
        (before, first), (after, second) = self._points[-2], self._points[-1]
        if after - before != 1 or self.last - after != 1:
            return
        found = min(abs(seconds - 2 * second + first) / math.sqrt(6), 4 * self._jitter)
        self._jitter += (found - self._jitter) / 24
        self._jitter = min(max(self._jitter, _JITTER[0]), _JITTER[2], self._period / 4)

    def _odd(self) -> int:
        """The place, among the last arrivals, before the first that was not counted as one pulse; -1: all were."""
        numbers = [number for _, number in self._arrivals]
        return next((place for place in range(len(numbers) - 1) if numbers[place + 1] - numbers[place] != 1), -1)

    def _look_for_jump(self) -> None:
        """Counts the last arrivals one by one where these are on a line of their own, and as they were counted they are not."""
        base = self._odd()
        if base < 0 or len(self._arrivals) - base < _REGULAR:
            return
        arrivals = list(self._arrivals)[base:]
        counted = _size(line([(number, seconds) for seconds, number in arrivals])[2])
        period, _, residuals = line([(place, seconds) for place, (seconds, _) in enumerate(arrivals)])
        if _SHORTEST <= period <= _LONGEST and _size(residuals) < min(0.5 * counted, 0.25 * period):
            self._count_again()

    def _count_again(self) -> None:
        """Numbers the arrivals since the first odd one without gaps, and forgets what was before: the tempo jumped."""
        arrivals = list(self._arrivals)[max(self._odd(), 0) :]
        first = arrivals[0][1]
        for (_, before), (_, after) in itertools.pairwise(arrivals):
            self.dropped -= max(after - before - 1, 0)
            self.doubled -= after == before
        numbered = [(first + place, seconds) for place, (seconds, _) in enumerate(arrivals)]
        self.last = numbered[-1][0]
        self._points.clear()
        self._points.extend(numbered)
        self._arrivals.clear()
        self._arrivals.extend((seconds, number) for number, seconds in numbered)
        self._suspect, self._skipped = 0.0, 0
        self._fit()


def _size(residuals: list[float]) -> float:
    return math.sqrt(sum(value * value for value in residuals) / len(residuals))


def line(points: list[tuple[int, float]]) -> tuple[float, float, list[float]]:
    """Returns slope and value at 0 of the least-squares line through points `(number, time)`, at least two, and the residuals."""
    count = len(points)
    middle = sum(number for number, _ in points) / count
    mean = sum(seconds for _, seconds in points) / count
    spread = sum((number - middle) ** 2 for number, _ in points)
    slope = sum((number - middle) * (seconds - mean) for number, seconds in points) / spread if spread else 0.0
    return slope, mean - slope * middle, [seconds - mean - slope * (number - middle) for number, seconds in points]
