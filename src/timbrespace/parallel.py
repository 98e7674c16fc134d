"""Work on many sounds at once: one sound a core, each on one PyTorch thread.

Faster than every sound on all cores, and the result of a sound does not depend on how many cores there are.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT, _KEPT_BEFORE = 2**30, 2**25  # bytes; the latter is the most that glibc before 2.35 takes


def keep_freed_memory() -> bool:
    """Tells the C library to hand freed blocks of up to 1 GiB out again instead of back to the system; whether it listened.

    Training frees and asks for the same large blocks at every step, and Linux clears every page of a new one: up to half of a step of a
    large model (LOG.md). It counts for the whole process, so that a command may do it and a library must not. Only
    glibc knows it, before 2.35 for blocks of up to 32 MiB.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    # Once either is set glibc adapts neither by itself any more: with the second alone, every block would be new.
    if not any(mallopt(_MMAP_THRESHOLD, most) for most in (_KEPT, _KEPT_BEFORE)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT))


class Pool:
    """Threads that compute on one PyTorch thread each; leaving the block drops what has not begun, so that Ctrl-C ends at once.

    workers: threads; None: one a core.
    """

    def __init__(self, workers: int | None = None):
        import torch

        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the order of `items`."""
        return self._pool.map(function, items)
