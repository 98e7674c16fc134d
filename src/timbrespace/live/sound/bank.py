"""Sounds in the slots of a mixer: made when they are needed, or ahead by workers, kept while there is room."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.live.state import SoundKey
from timbrespace.native.calls import CoreError
from timbrespace.native.live import Live, QueueFullError

_MOST_BYTES = 256 * 2**20
_FULL = 0.7  # of that; more is not made ahead
_SLOWEST = 4.0  # times its length that a sound may play: two octaves lower
_MOST_FAILED = 1000
Make = Callable[[SoundKey], np.ndarray]  # samples (channels, time) at the mixer's rate
Then = Callable[[int | None], None]  # called with the slot, None: the sound could not be made
Ahead = Callable[[], SoundKey | None]  # the sound to make next while no sound is needed at once


@dataclass
class _Kept:
    slot: int
    samples: int
    size: int  # bytes
    until: int = 0  # it may play up to then, in samples


@dataclass
class _Job:
    key: SoundKey
    then: list[Then] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


class Bank:
    """Keeps sounds for a mixer. A sound that may still play is never replaced; of the others the least recently used makes room.

    lock: of all that call the mixer. slots: of the mixer. make: called by any
    thread, without the lock. ahead: called with it. failed: called with an error.
    """

    def __init__(
        self, mixer: Live, make: Make, lock: threading.RLock, *, slots: int, ahead: Ahead, failed: Callable[[SoundKey, Exception], None]
    ):
        self._mixer, self._make, self._lock, self._ahead, self._failed, self._slots = mixer, make, lock, ahead, failed, slots
        self._kept: OrderedDict[SoundKey, _Kept] = OrderedDict()  # the least recently used first
        self._free = list(range(slots - 1, -1, -1))
        self._bytes = 0
        self._jobs: dict[SoundKey, _Job] = {}  # asked for, and not there yet
        self._queue: deque[_Job] = deque()
        self._bad: set[SoundKey] = set()
        self._wake = threading.Condition(lock)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self, workers: int) -> None:
        """Starts threads that make sounds, and one that only makes those that are needed at once."""
        for index in range(workers + 1):
            thread = threading.Thread(target=self._work, args=(index > 0,), name=f"timbrespace sounds {index + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def ready(self, key: SoundKey) -> int | None:
        """Returns the slot of a sound that is there, None for one that is not."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept.slot

    def known(self, key: SoundKey) -> bool:
        """Returns whether a sound is there, on its way, or cannot be made."""
        return key in self._kept or key in self._jobs or key in self._bad

    @property
    def full(self) -> bool:
        """Whether there is little room left."""
        return self._bytes > _FULL * _MOST_BYTES or len(self._free) < (1 - _FULL) * self._slots

    def require(self, key: SoundKey) -> int | None:
        """Returns the slot of a sound, made now if it is not there. None: it could not be made."""
        slot = self.ready(key)
        return slot if slot is not None else self._put(key, self._made(key))

    def want(self, key: SoundKey, then: Then) -> None:
        """Makes a sound in a worker, before those that are made ahead. then: called with the lock, when it is there."""
        with self._wake:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(key)
                self._queue.append(job)
                self._wake.notify_all()
            job.then.append(then)

    def nudge(self) -> None:
        """Says that other sounds may be worth making ahead."""
        with self._wake:
            self._wake.notify_all()

    def busy(self, key: SoundKey, now: int) -> int:
        """Notes that a sound plays from `now` on, and returns its length in samples."""
        kept = self._kept[key]
        kept.until = max(kept.until, now + int(kept.samples * _SLOWEST) + self._mixer.sample_rate)
        return kept.samples

    def settle(self, seconds: float = 30.0) -> bool:
        """Waits until all sounds worth making ahead are there. False: that takes longer."""
        end = time.monotonic() + seconds
        while True:
            with self._lock:
                if not self._threads or (not self._jobs and self._ahead() is None):
                    return True
            if time.monotonic() > end:
                return False
            time.sleep(0.002)

    def close(self) -> None:
        """Ends the workers."""
        with self._wake:
            self._closed = True
            self._queue.clear()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, ahead: bool) -> None:
        while True:
            with self._wake:
                job = self._next(ahead)
                while job is None and not self._closed:
                    self._wake.wait()
                    job = self._next(ahead)
                if job is None:
                    return
            made = self._made(job.key, errors=(Exception,))  # whatever it is, the thread makes the next sound
            with self._wake:
                if self._closed:
                    return
                slot = self._put(job.key, made)
                del self._jobs[job.key]
                for then in job.then:
                    try:
                        then(slot)
                    except TimbrespaceError as error:  # the next sound is made, whatever happens to this one
                        self._failed(job.key, error)

    def _next(self, ahead: bool) -> _Job | None:
        """What to make next."""
        if self._closed:
            return None
        if self._queue:
            return self._queue.popleft()
        key = self._ahead() if ahead else None
        if key is None:
            return None
        self._jobs[key] = job = _Job(key)
        return job

    def _made(self, key: SoundKey, *, errors: tuple[type[Exception], ...] = (TimbrespaceError, MemoryError)) -> np.ndarray | None:
        """The samples of a sound, None where it cannot be made. errors: that are reported, not raised."""
        try:
            samples = self._make(key)
            if samples.shape[1]:
                return samples
            raise ConfigError("a sound has no samples")
        except errors as error:
            with self._lock:
                if len(self._bad) >= _MOST_FAILED:
                    self._bad.clear()
                self._bad.add(key)
                self._failed(key, error)
            return None

    def _put(self, key: SoundKey, samples: np.ndarray | None) -> int | None:
        """The slot that a sound is put into; None where none is free."""
        if samples is None:
            return None
        with self._lock:
            self._make_room(samples.nbytes)
            if not self._free:
                return None
            try:
                self._mixer.sound(self._free[-1], samples)
            except (QueueFullError, CoreError, MemoryError):
                return None
            slot = self._free.pop()
            self._kept[key] = _Kept(slot, samples.shape[1], samples.nbytes)
            self._bytes += samples.nbytes
            return slot

    def _make_room(self, size: int) -> None:
        if self._free and self._bytes + size <= _MOST_BYTES:
            return
        now = self._mixer.state().time
        for old in [key for key, kept in self._kept.items() if kept.until <= now]:
            if self._free and self._bytes + size <= _MOST_BYTES:
                return
            kept = self._kept[old]
            try:
                self._mixer.sound(kept.slot, None)
            except (QueueFullError, CoreError):
                return
            del self._kept[old]
            self._bytes -= kept.size
            self._free.append(kept.slot)
