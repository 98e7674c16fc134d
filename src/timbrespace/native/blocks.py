"""Parts of one memory that only grows: taken where they fit best, joined with their neighbours when they are given back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

ALIGNMENT = 64


class Blocks:
    """Parts of a memory. Classes of sizes would be quicker, but what one class gives back never serves another, and memory creeps up.

    start: of the parts, in bytes. grow: makes the memory reach up to a place; it may raise, and then nothing has changed.
    """

    def __init__(self, start: int, grow: Callable[[int], None]):
        self._end, self._grow = -(-start // ALIGNMENT) * ALIGNMENT, grow
        self._sizes = dict[int, int]()  # of parts in use, by place
        self._free = list[tuple[int, int]]()  # (place, size) by place; no two of them touch

    @property
    def free(self) -> int:
        """Bytes that were given back and serve nothing now."""
        return sum(size for _, size in self._free)

    def take(self, size: int) -> tuple[int, int]:
        """Returns the place and the bytes, a multiple of ALIGNMENT, of a part of at least `size` bytes."""
        size = max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
        fits = min(((room, place) for place, room in self._free if room >= size), default=None)
        if fits is None:
            last = self._free[-1] if self._free and sum(self._free[-1]) == self._end else (self._end, 0)
            self._grow(last[0] + size)
            self._add(self._end, last[0] + size - self._end)
            self._end = last[0] + size
            fits = size, last[0]
        room, place = fits
        at = bisect_left(self._free, (place, room))
        self._free[at : at + 1] = [(place + size, room - size)] if room > size else []
        self._sizes[place] = size
        return place, size

    def give(self, place: int) -> None:
        """Gives back a part."""
        self._add(place, self._sizes.pop(place))

    def _add(self, place: int, size: int) -> None:
        at = bisect_left(self._free, (place, size))
        after = self._free[at] if at < len(self._free) else (-1, 0)
        before = self._free[at - 1] if at else (-1, 0)
        first, last = at, at
        if place + size == after[0]:
            size, last = size + after[1], at + 1
        if at and sum(before) == place:
            place, size, first = before[0], before[1] + size, at - 1
        self._free[first:last] = [(place, size)]
