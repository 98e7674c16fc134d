"""Work on many sounds at once: one sound a core, each on one PyTorch thread.

Faster than every sound on all cores, and the result of a sound does not depend on how many cores there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
