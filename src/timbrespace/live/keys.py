"""Which keys are down, which voices they hold, and the sustain pedal."""

from __future__ import annotations

from typing import Any

_MOST = 1024  # keys that are down or pedalled
KeyName = tuple[int, Any]  # channel, and the note, or what else names it


class HeldKeys:
    """Keys by channel and name -> numbers of the voices that sound while they are down."""

    def __init__(self) -> None:
        self._down: dict[KeyName, list[int]] = {}
        self._pedalled: dict[KeyName, list[int]] = {}  # let go while the pedal is down
        self._pedals: set[int] = set()
        self._ends: dict[int, int] = {}  # number -> sample at which its sound is over
        self._starts: dict[int, int] = {}  # number -> sample at which it starts, of those that are still to start

    def press(self, name: KeyName, number: int) -> list[int]:
        """A key goes down and holds a voice. Returns voices to be let go: of the keys that are down longest, where too many are."""
        self._down.setdefault(name, []).append(number)
        over: list[int] = []
        while len(self._down) + len(self._pedalled) > _MOST:  # of ids that never end; their voices were stolen long ago
            held = self._pedalled or self._down
            over += held.pop(next(iter(held)))
        return over

    def pressed_again(self, name: KeyName) -> list[int]:
        """Returns the voices that a key held before it is struck again; they are let go."""
        return [*self._down.pop(name, []), *self._pedalled.pop(name, [])]

    def let_go(self, name: KeyName) -> list[int]:
        """Returns the voices to be let go with a key: none while the pedal of its channel is down."""
        numbers = self._down.pop(name, [])
        if name[0] in self._pedals and numbers:
            self._pedalled.setdefault(name, []).extend(numbers)
            return []
        return numbers

    def sustain(self, channel: int, on: bool) -> list[int]:
        """Returns the voices to be let go with the pedal of a channel."""
        if on:
            self._pedals.add(channel)
            return []
        self._pedals.discard(channel)
        return [number for name in [name for name in self._pedalled if name[0] == channel] for number in self._pedalled.pop(name)]

    def all_off(self) -> list[int]:
        """Returns all voices; no key is down and no pedal."""
        numbers = [number for held in (self._down, self._pedalled) for some in held.values() for number in some]
        self._down.clear()
        self._pedalled.clear()
        self._pedals.clear()
        return numbers

    def sounding(self, channel: int, id: Any) -> list[tuple[int, KeyName]]:  # noqa: A002
        """Returns the held voices of a channel, or of the note with an id, with the names of their keys."""
        wanted = None if id is None else (channel, ("id", id))
        found = []
        for held in (self._down, self._pedalled):
            for name, numbers in held.items():
                if name[0] == channel and (wanted is None or name == wanted):
                    found += [(number, name) for number in numbers]
        return found

    def is_held(self, number: int) -> bool:
        """Returns whether a key or the pedal holds a voice."""
        return any(number in numbers for held in (self._down, self._pedalled) for numbers in held.values())

    def lasts(self, number: int, end: int) -> None:
        """Notes that a voice's sound is over at a sample."""
        self._ends[number] = end

    def starts(self, number: int, start: int) -> None:
        """Notes at which sample a voice starts."""
        self._starts[number] = start

    def not_before(self, number: int, when: int) -> int:
        """Returns when a voice that is let go at a sample can be released: not before it starts, as the mixer does not know it yet."""
        return max(when, self._starts.get(number, 0))

    def forget(self, now: int) -> None:
        """Forgets starts that are past, and voices whose sound is over, though their keys are down."""
        self._starts = {number: start for number, start in self._starts.items() if start > now}
        over = {number for number, end in self._ends.items() if end <= now}
        if not over:
            return
        for number in over:
            del self._ends[number]
        for held in (self._down, self._pedalled):
            for name in [name for name, numbers in held.items() if over.intersection(numbers)]:
                held[name] = [number for number in held[name] if number not in over]
                if not held[name]:
                    del held[name]
