"""Sends a MIDI clock to another machine, each message when the samples of its time sound."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.clock.audio_time import AudioTime
from timbrespace.live.clock.follower import CONTINUE, POSITION, START, STOP

_BEFORE = {STOP: 0.004, POSITION: 0.003, START: 0.002, CONTINUE: 0.002}  # s before the pulse of their time; MIDI 1.0 asks for 1 ms
_ROOM = 65_536  # messages that wait


class ClockSender:
    """Sends messages at their times, on a thread of its own. Use it as a context manager, or call `close`, which sends stop.

    time: of the samples; its latency may be set.
    """

    def __init__(self, send: Callable[[bytes], None], *, sample_rate: int, failed: Callable[[str], None]):
        """send: sends one message, raises TimbrespaceError. failed: gets the reason, once a fault."""
        self.time = AudioTime(sample_rate)
        self._send, self._failed = send, failed
        self._waiting: list[tuple[float, int, bytes]] = []
        self._number, self._running, self._closing = 0, False, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="clock", daemon=True)
        self._thread.start()

    def put(self, message: bytes, sample: int | None = None) -> None:
        """Sends a message when a sample sounds; None: now."""
        due = time.monotonic() if sample is None else self.time.seconds_at(sample) - _BEFORE.get(message[0], 0.0)
        with self._changed:
            if message[0] == STOP:
                self._waiting = [one for one in self._waiting if one[0] <= due]
                heapq.heapify(self._waiting)
            if len(self._waiting) < _ROOM:
                self._number += 1
                heapq.heappush(self._waiting, (due, self._number, message))
            self._changed.notify()

    def close(self) -> None:
        """Sends stop where the other machine plays, and ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=2)

    def __enter__(self) -> ClockSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while (message := self._next()) is not None:
            self._give(message)
        if self._running:
            self._give(bytes((STOP,)))

    def _next(self) -> bytes | None:
        """Waits for the next message; None where it is closed."""
        with self._changed:
            while not self._closing:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
        return None

    def _give(self, message: bytes) -> None:
        self._running = message[0] != STOP and (self._running or message[0] in (START, CONTINUE))
        try:
            self._send(message)
        except TimbrespaceError as error:
            self._failed(str(error))
