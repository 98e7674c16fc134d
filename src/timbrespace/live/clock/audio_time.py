"""The samples of a device against the time of the computer."""

from __future__ import annotations

from collections import deque

_SEEN = 400  # observations, 2 s
_LOW = 0.1  # quantile: a device plays blocks, so that samples counted between them are behind
_AGAIN = 20  # observations between two looks at all


class AudioTime:
    """Which sample sounds at a time. latency: s from the making of a sample to the output, as the device says."""

    def __init__(self, sample_rate: int, *, latency: float = 0.0):
        self._rate, self.latency = sample_rate, latency
        self._seen: deque[float] = deque(maxlen=_SEEN)
        self._offset: float | None = None
        self._count = 0

    def observe(self, sample: int, seconds: float) -> None:
        """Notes that so many samples have been made at a time."""
        self._seen.append(sample - seconds * self._rate)
        self._count += 1
        if self._offset is None or self._count % _AGAIN == 0 or self._count < _AGAIN:
            self._offset = sorted(self._seen)[int(_LOW * len(self._seen))]

    def sample_at(self, seconds: float) -> float:
        """Returns the sample that sounds at a time. Before the first observation: samples are counted from time 0."""
        return (seconds - self.latency) * self._rate + (self._offset or 0.0)

    def seconds_at(self, sample: float) -> float:
        """Returns when a sample sounds."""
        return (sample - (self._offset or 0.0)) / self._rate + self.latency
