"""Calls of a mixer in their order; those for which its queue has no room wait."""

from __future__ import annotations

from collections import deque
from typing import Any

from timbrespace.native.live import Live, QueueFullError

_MOST = 100_000


class Calls:
    """Methods of a mixer, called by name. dropped: those that found no room even here."""

    def __init__(self, mixer: Live):
        self._mixer, self.dropped = mixer, 0
        self._waiting: deque[tuple[str, tuple[Any, ...], dict[str, Any]]] = deque()

    def put(self, name: str, *arguments: Any, **more: Any) -> None:
        """Calls a method, later where the queue is full."""
        if not self._waiting and self._send(name, arguments, more):
            return
        if len(self._waiting) < _MOST:
            self._waiting.append((name, arguments, more))
        else:
            self.dropped += 1

    def pump(self) -> None:
        """Sends what waits."""
        while self._waiting and self._send(*self._waiting[0]):
            self._waiting.popleft()

    def _send(self, name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> bool:
        try:
            getattr(self._mixer, name)(*arguments, **more)
        except QueueFullError:
            return False
        return True
