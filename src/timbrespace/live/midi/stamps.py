"""When MIDI messages arrived: the driver's times, which do not wait for Python, on the computer's clock."""

from __future__ import annotations

import math
from collections import deque

_SEEN = 128  # messages
_WRONG = 0.25  # s between both clocks after which the driver's is not believed


class Stamps:
    """Turns the times between messages that a driver gives into times of `time.monotonic`.

    A message is never taken before it came, so the smallest delay of the last messages is the offset of the clocks.
    """

    def __init__(self) -> None:
        self._driver = 0.0  # s since the first message, as the driver has it
        self._delays: deque[float] = deque(maxlen=_SEEN)

    def at(self, since: float, now: float) -> float:
        """Returns when a message arrived. since: s after the one before, by the driver. now: s, when Python got it."""
        self._driver += since if 0 <= since < math.inf else math.nan
        delay = now - self._driver
        if not self._delays or not abs(delay - self._delays[-1]) < _WRONG:
            self._driver, delay = now, 0.0
            self._delays.clear()
        self._delays.append(delay)
        return min(self._driver + min(self._delays), now)
