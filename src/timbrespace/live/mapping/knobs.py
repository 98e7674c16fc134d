"""One controller of a mapping at work: its position, its value, and how it gets there."""

from __future__ import annotations

import math

from timbrespace.live.mapping.schema import Entry
from timbrespace.live.mapping.targets import PROGRAMS, parse_target

_NEAR = 1e-3  # of the range: where an approach ends
_CATCH = 1.5 / 127  # how near a controller must come to the present value to pick it up


class Knob:
    """The state of one entry: positions are 0 to 1 along the controller, values are those of the target."""

    def __init__(self, entry: Entry, *, programs: int = PROGRAMS):
        """programs: number of instruments, which a program's range is where the entry gives none."""
        self.entry, self.target = entry, parse_target(entry.target)
        self.low, self.high = entry.range(programs)
        self.value = self.goal = min(max(self.target.start, min(self.low, self.high)), max(self.low, self.high))
        self._position = self._position_of(self.value)
        self._coarse = 0
        self._caught = not entry.pickup
        self._below: bool | None = None

    @property
    def moving(self) -> bool:
        """Whether the value is still on its way."""
        return self.value != self.goal

    def controller(self, value: int, *, fine: bool = False) -> bool:
        """Takes the value of a MIDI controller, 0 to 127. Returns whether the target has to be set."""
        if self.entry.encoder != "absolute":
            whole = max(1.0, abs(self.high - self.low)) if self.target.kind == "program" else 127  # a step is an instrument
            return self.move_to(self._position + _steps(self.entry.encoder, value) / whole)
        if self.entry.bits == 14:
            if not fine:
                self._coarse = value
                return self.move_to(value / 127 if value == 127 else value * 128 / 16383)
            return self.move_to((self._coarse * 128 + value) / 16383)
        return self.move_to(value / 127)

    def move_to(self, position: float) -> bool:
        """Takes a position, limited to 0 and 1. Returns whether the target has to be set now; with smoothing, `advance` says so."""
        position = min(max(position, 0.0), 1.0)
        if not self._catches(position):
            return False
        pressed = position > 0 and self._position == 0
        self._position = position
        self.goal = self.low + (self.high - self.low) * position**self.entry.curve
        if self.target.kind == "pad":  # an event: once, where the controller leaves its end
            self.value = self.goal
            return pressed or (self.entry.note is not None and position > 0)
        if self.entry.smoothing > 0 and self.target.kind != "program":
            return False
        changed = self.value != self.goal
        self.value = self.goal
        return changed

    def advance(self, seconds: float) -> bool:
        """Brings the value nearer to its goal, e-fold within the time constant. Returns whether the target has to be set."""
        if not self.moving:
            return False
        self.value += (self.goal - self.value) * -math.expm1(-seconds / self.entry.smoothing)
        if abs(self.goal - self.value) <= _NEAR * abs(self.high - self.low):
            self.value = self.goal
        return True

    def _catches(self, position: float) -> bool:
        """Whether a controller with pickup has come to the present value, or passed it."""
        if not self._caught:
            below = position < self._position
            self._caught = abs(position - self._position) <= _CATCH or self._below not in (None, below)
            self._below = below
        return self._caught

    def _position_of(self, value: float) -> float:
        if self.high == self.low:
            return 0.0
        return float(((value - self.low) / (self.high - self.low)) ** (1 / self.entry.curve))


def _steps(encoder: str, value: int) -> int:
    """Steps of an endless encoder: two's complement, offset by 64, or sign in bit 6."""
    if encoder == "twos":
        return value - 128 if value >= 64 else value
    if encoder == "offset":
        return value - 64
    return 64 - value if value >= 64 else value
