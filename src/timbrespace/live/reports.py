"""Faults while playing: each kind is said once, the rest is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable

from timbrespace.wording import counted

_KINDS = 200  # kept at most: kinds are ours, not texts of a sender, so that this is a safety net


class Reports:
    """Says the first fault of each kind, and counts all. Any thread may use it."""

    def __init__(self, say: Callable[[str], None]):
        """say: prints or logs one line."""
        self._say, self._lock = say, threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, kind: str, text: str) -> None:
        """Counts a fault, and says `text` if it is the first of its kind. text: shortened to 300 characters."""
        with self._lock:
            known = kind in self._counts
            if not known and len(self._counts) >= _KINDS:
                kind = "other"
                known = kind in self._counts
            self._counts[kind] = self._counts.get(kind, 0) + 1
        if not known:
            self._say(text if len(text) <= 300 else f"{text[:299]}…")

    def count(self, kind: str) -> int:
        """Returns how many faults of a kind there were."""
        return self._counts.get(kind, 0)

    def summary(self) -> list[str]:
        """Returns a line for each kind that happened more than once: "unknown OSC address: 1,203 times"."""
        with self._lock:
            return [f"{kind}: {counted(number, 'time')}" for kind, number in self._counts.items() if number > 1]
