"""Calls of the native core by tests: its memory in NumPy arrays, its functions by name. tests/native/conftest.py has the fixture `core`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OK, DAMAGED, VERSION, UNCOVERED, ARGUMENT, MEMORY = range(6)  # Status of base.h


def aligned(count: int) -> NDArray[np.uint8]:
    """`count` bytes that begin at a multiple of 64, as the core's memory does."""
    block = np.zeros(count + 64, np.uint8)
    return block[-block.ctypes.data % 64 :][:count]


class Arena(ctypes.Structure):
    """`Arena` of base.h in memory of NumPy. size: bytes."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("peak", ctypes.c_size_t))

    def __init__(self, size: int):
        self.memory = aligned(size)
        super().__init__(self.memory.ctypes.data, size, 0, 0)


class Core:
    """Calls of the core's functions, internal ones too.

    Arguments: an array is passed as the pointer to its contiguous memory, an `Arena` by reference, an int as int64 (right for size_t,
    int32 and uint64), a float as double, values of `ctypes` as they are: a float of C is ctypes.c_float(x).
    """

    def __init__(self, path: Path):
        self.library = ctypes.CDLL(str(path))

    def __call__(self, name: str, *arguments: Any, result: Any = ctypes.c_int) -> Any:
        """Returns what the function returns; `result` is its type, by default int or a status."""
        function = self.library[name]
        function.restype = result
        return function(*map(_passed, arguments))

    def take(self, pointer: Any, shape: Sequence[int], dtype: type = np.float32) -> NDArray[Any]:
        """Returns an array copied from memory of the core."""
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(ctypes.string_at(pointer, count), dtype).reshape(shape).copy()


def _passed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous, "the core reads contiguous memory"
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, Arena):
        return ctypes.byref(value)
    if isinstance(value, int | np.integer):
        return ctypes.c_uint64(int(value) % 2**64)
    return ctypes.c_double(value) if isinstance(value, float) else value
