"""The functions of the native core (native/include/timbrespace.h): a file in memory is opened, new sounds drawn and rendered."""

from __future__ import annotations

import ctypes
import math
import threading
from typing import Any, NamedTuple

import numpy as np

from timbrespace.contracts import TimbrespaceError

ABI = 1  # TS_ABI of the header
DAMAGED, VERSION, UNCOVERED, ARGUMENT, MEMORY = range(1, 6)  # ts_status
LEVELS = {"peak": 0, "loudness": 1, "keep": 2}
_NAME = 1024  # bytes of the longest name of a category


class CoreError(TimbrespaceError):
    """What the core refuses. status: one of those above."""

    def __init__(self, status: int, message: str):
        super().__init__(message or f"the native core gave status {status}")
        self.status = status


class _Memory(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("message", ctypes.c_char * 256)]


class Info(ctypes.Structure):
    """`ts_info` of the header."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("dims", "sample_rate", "channels", "samples", "capacity", "categories", "controls", "notes")),
        *((name, ctypes.c_int32) for name in ("velocities", "parts", "bands", "frames", "steps")),
        *((name, ctypes.c_float) for name in ("lowest_pitch", "highest_pitch", "learned_low", "learned_high")),
        *((name, ctypes.c_float) for name in ("lowest_velocity", "highest_velocity")),
    ]


class _Draw(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_uint64), ("index", ctypes.c_int32), ("category", ctypes.c_int32), ("temperature", ctypes.c_float),
        ("pitch", ctypes.c_float), ("velocity", ctypes.c_float), ("drafted", ctypes.c_int32),
    ]  # fmt: skip


class _Drawn(ctypes.Structure):
    _fields_ = [("category", ctypes.c_int32), ("redrawn", ctypes.c_int32)]


class _Render(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_uint64), *((name, ctypes.c_int32) for name in ("category", "samples", "steps", "texture", "finish", "level")),
        ("target_db", ctypes.c_float), *((name, ctypes.c_int32) for name in ("trim", "subsonics", "reserved")),
    ]  # fmt: skip


class Drawn(NamedTuple):
    """A drawn sound: latent `(dims,)`, the number of its category (-1: none), and how many draws before it were unlike real sounds."""

    z: np.ndarray
    category: int
    redrawn: int


class Opened:
    """An instrument that the core has opened. It may be used by several threads at once; the interpreter lock is released meanwhile."""

    def __init__(self, library: Any, data: bytes):
        """library: of `ctypes`. data: the bytes of an instrument file. Raises CoreError where the core does not play it."""
        self._library, self._data = library, data
        if (abi := library.ts_abi()) != ABI:
            raise CoreError(VERSION, f"the native core has interface {abi}, {ABI} is needed; install timbrespace again")
        for name in ("ts_open_size", "ts_work_size", "ts_category"):
            getattr(library, name).restype = ctypes.c_size_t
        library.ts_pitch.restype = ctypes.c_float
        size = library.ts_open_size(data, ctypes.c_size_t(len(data)))
        self._room = np.empty(max(1, size), np.uint8)
        memory, self._handle = _memory(self._room), ctypes.c_void_p()
        if not size:
            memory.size = 0
        self._check(library.ts_open(data, ctypes.c_size_t(len(data)), ctypes.byref(memory), ctypes.byref(self._handle)), memory)
        self.info = Info()
        library.ts_info_of(self._handle, ctypes.byref(self.info))
        self.categories = [self._category(index) for index in range(self.info.categories)]
        self._work = threading.local()

    def draw(
        self, seed: int, index: int, earlier: np.ndarray, *, category: int = -1, temperature: float = 1.0, pitch: float | None = None,
        velocity: float | None = None,
    ) -> Drawn:  # fmt: skip
        """Returns sound `index` of a batch. earlier: latents `(count, dims)` of the sounds before it. Raises CoreError."""
        request = _Draw(seed, index, category, temperature, _or_nan(pitch), _or_nan(velocity), 0)
        z, drawn, memory = np.empty(self.info.dims, np.float32), _Drawn(), self._memory()
        status = self._library.ts_draw(
            self._handle, ctypes.byref(request), _pointer(np.ascontiguousarray(earlier, np.float32)), len(earlier), _pointer(z),
            ctypes.byref(drawn), ctypes.byref(memory),
        )  # fmt: skip
        self._check(status, memory)
        return Drawn(z, drawn.category, drawn.redrawn)

    def render(self, z: np.ndarray, seed: int, *, category: int, level: str = "peak", finish: bool = True) -> np.ndarray:
        """Returns a new sound `(channels, time)` of a latent `(dims,)`. level: of LEVELS. finish: else as rendered. Raises CoreError."""
        request = _Render(seed, category, 0, -1, 1, int(finish), LEVELS[level], math.nan, 1, 0, 0)
        memory, samples = self._memory(), ctypes.c_int32()
        room = self._work.audio
        status = self._library.ts_render(
            self._handle, _pointer(np.ascontiguousarray(z, np.float32)), ctypes.byref(request), _pointer(room), room.shape[1],
            ctypes.byref(samples), ctypes.byref(memory),
        )  # fmt: skip
        self._check(status, memory)
        return room[:, : samples.value].copy()

    def pitch(self, z: np.ndarray) -> float | None:
        """Returns the MIDI number that a latent `(dims,)` holds; None for an instrument without notes."""
        pitch = self._library.ts_pitch(self._handle, _pointer(np.ascontiguousarray(z, np.float32)))
        return None if math.isnan(pitch) else float(pitch)

    def _category(self, index: int) -> str:
        name = ctypes.create_string_buffer(_NAME)
        self._library.ts_category(self._handle, index, name, ctypes.c_size_t(_NAME))
        return name.value.decode("utf-8", "replace")

    def _memory(self) -> _Memory:
        """The work memory of this thread."""
        if not hasattr(self._work, "room"):
            self._work.room = np.empty(self._library.ts_work_size(self._handle, 0), np.uint8)
            self._work.audio = np.empty((self.info.channels, self.info.capacity), np.float32)
        return _memory(self._work.room)

    def _check(self, status: int, memory: _Memory) -> None:
        if status:
            raise CoreError(status, memory.message.decode("utf-8", "replace"))


def _memory(room: np.ndarray) -> _Memory:
    return _Memory(room.ctypes.data, room.size, 0, b"")


def _pointer(array: np.ndarray) -> Any:
    return array.ctypes.data_as(ctypes.c_void_p)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
