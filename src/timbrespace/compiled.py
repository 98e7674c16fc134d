"""Compiles loops by numba. Import inside functions: importing loads numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Returns a decorator that compiles for one signature at once; the machine code is cached on disk, or in memory if that fails."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            result: Callable[..., Any] = njit(signature, cache=True, nogil=True)(function)
        except (RuntimeError, OSError):  # no folder to write to; a full disk
            result = njit(signature, nogil=True)(function)
        return result

    return decorate
