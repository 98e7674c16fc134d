"""Long work of the server: it waits, runs one at a time, is followed, cancelled and forgotten; quick work goes before it."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from timbrespace.contracts import TimbrespaceError

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
_ENDED = (DONE, FAILED, CANCELLED)
_LOG = logging.getLogger(__name__)


class CancelledError(Exception):
    """The work is no longer wanted."""


class BusyError(TimbrespaceError):
    """So much work waits that no more is taken."""


class ConflictError(TimbrespaceError):
    """The id of one piece of work, given for another."""


class Asked(NamedTuple):
    """How a client names work. id: its own. what: all that is asked for, to tell a repetition from other work with the same id."""

    id: str
    what: str


class Turns:
    """Lets one piece of work compute at a time. Long work gives way to quick work whenever it calls `give_way`."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._taken, self._quick = False, 0

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Work that a person waits for: goes before long work."""
        with self._free:
            self._quick += 1
            self._free.wait_for(lambda: not self._taken)
            self._quick -= 1
            self._taken = True
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def long(self) -> Iterator[None]:
        """Work that takes minutes."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Inside long work: lets quick work that waits come first."""
        if self._quick:
            self._leave()
            self._enter()

    def _enter(self) -> None:
        with self._free:
            self._free.wait_for(lambda: not self._taken and not self._quick)
            self._taken = True

    def _leave(self) -> None:
        with self._free:
            self._taken = False
            self._free.notify_all()


@dataclass
class Job:
    """One piece of work. number: by which it is followed. done, of: how far it is. ended: by the clock `time.monotonic`. when_ended: called
    once, from any thread."""

    number: str
    work: Callable[[Job], Any]
    quick: bool
    turns: Turns
    state: str = WAITING
    done: int = 0
    of: int = 0
    result: Any = None
    error: str = ""
    is_bug: bool = False
    ended: float = 0.0
    unwanted: threading.Event = field(default_factory=threading.Event)
    when_ended: Callable[[], None] | None = None

    def progress(self, done: int, of: int) -> None:
        """Says how far the work is, and lets quick work come first. Raises CancelledError when it is no longer wanted."""
        self.done, self.of = done, of
        if not self.quick:
            self.turns.give_way()
        self.check()

    def check(self) -> None:
        """Raises CancelledError when the work is no longer wanted."""
        if self.unwanted.is_set():
            raise CancelledError

    def facts(self) -> dict[str, Any]:
        """Returns the state as JSON values."""
        values: dict[str, Any] = {"state": self.state, "done": self.done, "of": self.of}
        if self.state == DONE:
            values["result"] = self.result
        return values | ({"error": self.error} if self.state == FAILED else {})


class Jobs:
    """The work that the server was asked for: a thread for quick work, and one for long work."""

    def __init__(self, turns: Turns | None = None, *, waiting: int = 16, kept: int = 200, kept_seconds: float = 600.0):
        """waiting: most quick jobs that wait, and most long ones. kept, kept_seconds: how many ended jobs are remembered, and how long."""
        self.turns = turns or Turns()
        self._waiting, self._kept, self._kept_seconds = waiting, kept, kept_seconds
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._asked: dict[str, tuple[str, str]] = {}  # the client's own id -> number, what
        self._change = threading.Condition()
        self._open = True
        self._threads: list[threading.Thread] = []

    def start(
        self, work: Callable[[Job], Any], *, quick: bool = False, asked: Asked | None = None, when_ended: Callable[[], None] | None = None
    ) -> str:
        """Takes work and returns its number. asked: its name; the same id is the same work. Raises BusyError, ConflictError.

        work: called with its job; returns the result as JSON values. A TimbrespaceError is its failure in words.
        """
        with self._change:
            self._forget()
            if asked is not None and asked.id in self._asked:
                number, what = self._asked[asked.id]
                if what != asked.what:
                    raise ConflictError(f"the id {asked.id} is that of other work; take a new one")
                return number
            waiting = sum(job.state == WAITING and job.quick == quick for job in self._jobs.values())
            if not self._open or waiting >= self._waiting:
                raise BusyError(f"{self._waiting} jobs wait already; try again when some are done")
            job = Job(secrets.token_urlsafe(16), work, quick, self.turns, when_ended=when_ended)
            self._jobs[job.number] = job
            if asked is not None:
                self._asked[asked.id] = job.number, asked.what
            self._start_threads()
            self._change.notify_all()
            return job.number

    def find(self, number: str) -> Job | None:
        """Returns the job of a number; None if it is not known, or forgotten."""
        with self._change:
            self._forget()
            return self._jobs.get(number)

    def cancel(self, number: str) -> Job | None:
        """Cancels a job, at once if it waits, else soon. Returns it; None if it is not known. One that has ended stays as it is."""
        with self._change:
            job = self._jobs.get(number)
            if job is not None:
                job.unwanted.set()
                if job.state == WAITING:
                    self._end(job, CANCELLED)
            return job

    def close(self, seconds: float = 5.0) -> bool:
        """Cancels everything and waits until the threads have ended, at most so long. Returns whether they have."""
        with self._change:
            self._open = False
            for job in self._jobs.values():
                job.unwanted.set()
                if job.state == WAITING:
                    self._end(job, CANCELLED)
            self._change.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # --- threads --------------------------------------------------------------------------------------------------------

    def _start_threads(self) -> None:
        if not self._threads:
            for quick in (True, False):
                self._threads.append(threading.Thread(target=self._run, args=(quick,), name=f"jobs quick={quick}", daemon=True))
                self._threads[-1].start()

    def _run(self, quick: bool) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: not self._open or self._next(quick) is not None)
                job = self._next(quick)
                if not self._open or job is None:
                    return
                job.state = RUNNING
            self._do(job)

    def _next(self, quick: bool) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == WAITING and job.quick == quick), None)

    def _do(self, job: Job) -> None:
        state, result, words = DONE, None, ""
        try:
            with self.turns.quick() if job.quick else self.turns.long():
                job.check()
                result = job.work(job)
        except CancelledError:
            state = CANCELLED
        except TimbrespaceError as error:
            state, words = FAILED, str(error)
        except MemoryError:
            state, words = FAILED, "the computer has too little memory for this"
        except Exception as error:
            _LOG.exception("a job failed")
            job.is_bug = True
            state, words = FAILED, f"this is a bug in timbrespace ({type(error).__name__}); the terminal of the server says more"
        with self._change:
            job.result, job.error = result, words
            self._end(job, state)

    def _end(self, job: Job, state: str) -> None:
        job.state, job.ended = state, time.monotonic()
        job.work = _nothing  # what it holds, such as the bytes of a sound, is not kept
        if job.when_ended is not None:
            job.when_ended()

    def _forget(self) -> None:
        ended = [job for job in self._jobs.values() if job.state in _ENDED]
        too_many, old = len(ended) - self._kept, time.monotonic() - self._kept_seconds
        for place, job in enumerate(ended):
            if place < too_many or job.ended < old:
                del self._jobs[job.number]
        self._asked = {name: one for name, one in self._asked.items() if one[0] in self._jobs}


def _nothing(job: Job) -> Any:
    raise AssertionError("this work has ended")
