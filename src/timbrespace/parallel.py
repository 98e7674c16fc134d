"""Parallel work on many sounds: a map with bounded memory, a thread pool with one PyTorch thread per sound, and memory reuse."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_LARGEST_KEPT, _LARGEST_KEPT_BEFORE = 2**30, 2**25  # bytes; the second is the limit of glibc before 2.35


def keep_freed_memory() -> bool:
    """Makes the C library reuse freed blocks of up to 1 GiB instead of returning them to the system. Returns whether that worked.

    Training frees and allocates the same large blocks at every step, and Linux clears every page of a new block, which takes up to
    half of the time of a step of a large model (LOG.md). The setting is for the whole process: a command may call this, a library
    must not. It needs glibc; before version 2.35 the limit is 32 MiB.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    # Setting either turns off glibc's own adaptation of both: with the second alone, every block would be new.
    if not any(mallopt(_MMAP_THRESHOLD, limit) for limit in (_LARGEST_KEPT, _LARGEST_KEPT_BEFORE)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _LARGEST_KEPT))


class Pool:
    """Threads that each compute on one PyTorch thread: one sound per core.

    Faster than each sound on all cores, and the result of a sound does not depend on the number of cores. Leaving the block drops
    work that has not started, so that Ctrl-C ends at once. workers: number of threads; None: one per core.
    """

    def __init__(self, workers: int | None = None):
        import torch

        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results of `function`, in the order of `items`."""
        return self._pool.map(function, items)


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None) -> Iterator[Result]:
    """Yields results of `function` in the order of `items`, computed by a few threads, at most workers + 1 at a time.

    Unlike `Pool` it neither loads PyTorch nor takes more than those items at once. For work that releases the GIL, such as decoding
    and resampling. workers: None: one per core, at most four.
    """
    workers = workers or min(4, os.cpu_count() or 1)
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def closed_after(results: Iterable[Item]) -> Iterator[Item]:
    """Yields `results`; when the reader stops early (Ctrl-C, full disk) the worker threads behind them are stopped too."""
    try:
        yield from results
    finally:
        if hasattr(results, "close"):
            results.close()
