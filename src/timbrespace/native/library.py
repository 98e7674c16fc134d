"""Loads the native core (native/include/timbrespace.h) and calls its functions: one interface, whether it is a library or WebAssembly.

The WebAssembly file belongs to the package and runs on every system, through wasmtime, at about half the speed. A library is used instead
where one was built from the same sources: its name holds the hash of the WebAssembly file. Both compute the same bits.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbrespace.native.calls import ABI, KINDS, SIGNATURES, VERSION, Core, CoreError

WASM = Path(__file__).with_name("timbrespace.wasm")
_LARGE = 32_768  # bytes from which on memory is taken in pages of its own


@cache
def load_core() -> Core:
    """Returns the library of this machine if there is one, else the WebAssembly file. Raises CoreError if neither can be loaded."""
    path = library_path(WASM)
    if path is not None and path.exists():
        try:
            return NativeCore(path)
        except (OSError, CoreError):
            pass  # of another system or for newer processors
    from timbrespace.native.wasm import WasmCore

    return WasmCore(WASM)


def library_path(wasm: Path) -> Path | None:
    """Returns where the library that belongs to the WebAssembly file would be; None without that file."""
    try:
        name = hashlib.sha256(wasm.read_bytes()).hexdigest()[:12]
    except OSError:
        return None
    return wasm.with_name(f"core-{name}.library")


class Memory(ctypes.Structure):
    """`ts_memory` of the header, where a pointer has the size that it has here."""

    _fields_ = (
        ("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("message", ctypes.c_char * 256),
    )  # fmt: skip

    @classmethod
    def of(cls, room: NDArray[np.uint8]) -> Memory:
        """Returns memory that is `room`."""
        return cls(room.ctypes.data, room.size, 0, b"")


class NativeCore:
    """The core as a shared library."""

    way = "native"

    def __init__(self, path: Path):
        """Raises OSError for a library of another system, CoreError for one that does not fit this machine or this version."""
        self._library = ctypes.CDLL(str(path))
        for name, signature in SIGNATURES.items():
            try:
                function = getattr(self._library, name)
            except AttributeError as error:
                raise CoreError(VERSION, f"{path.name} has no {name}: build it again with python3 scripts/run.py native") from error
            result, arguments = signature.split(":")
            function.restype, function.argtypes = KINDS[result], [KINDS[letter] for letter in arguments]
        if not self._library.ts_supported():
            raise CoreError(0, f"{path.name} needs a newer processor, with AVX2")
        if (abi := self._library.ts_abi()) != ABI:
            raise CoreError(VERSION, f"{path.name} has interface {abi}, {ABI} is needed: build it again with python3 scripts/run.py native")

    def open(self, data: bytes) -> NativeLoaded:
        """See `Core`."""
        return NativeLoaded(self._library, data)

    def space(self) -> NativeSpace:
        """See `Core`."""
        return NativeSpace(self._library)


def _pages(size: int) -> NDArray[np.uint8]:
    """Zeros in pages of their own, which go back to the system as a whole: sounds of all lengths leave holes in a heap, and it grows."""
    try:
        if sys.platform == "win32":
            return np.frombuffer(mmap.mmap(-1, size), np.uint8)
        return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes for a sound") from error


class NativeSpace:
    """Memory of the process. See `calls.Space`."""

    pointer, shared = ctypes.sizeof(ctypes.c_void_p), True

    def __init__(self, library: Any):
        self._library, self._blocks = library, dict[int, NDArray[np.uint8]]()

    def take(self, size: int) -> int:
        """See `Space`."""
        block = _pages(size) if size >= _LARGE else np.zeros(max(1, size), np.uint8)
        self._blocks[block.ctypes.data] = block
        return block.ctypes.data

    def give(self, place: int) -> None:
        """See `Space`."""
        del self._blocks[place]

    def write(self, place: int, source: int, size: int) -> None:
        """See `Space`."""
        ctypes.memmove(place, source, size)

    def read(self, place: int, target: int, size: int) -> None:
        """See `Space`."""
        ctypes.memmove(target, place, size)

    def call(self, name: str, *arguments: Any) -> Any:
        """See `Space`."""
        return getattr(self._library, name)(*arguments)

    def address(self, name: str) -> int | None:
        """See `Space`."""
        return ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value


class NativeLoaded:
    """An instrument opened by the library: all threads share it, each call has work memory for itself, which is used again."""

    def __init__(self, library: Any, data: bytes):
        self._library, self._file = library, np.frombuffer(data, np.uint8)  # the core reads from it for as long as it is open
        place = self._file.ctypes.data
        self._room = np.empty(library.ts_open_size(place, self._file.size), np.uint8)
        memory, self._handle = Memory.of(self._room), ctypes.c_void_p()
        if status := library.ts_open(place, self._file.size, ctypes.byref(memory), ctypes.byref(self._handle)):
            raise CoreError(status, memory.message.decode("utf-8", "replace"))
        self._free: list[NDArray[np.uint8]] = []

    def call(self, name: str, *arguments: Any) -> None:
        """See `Loaded`."""
        try:
            room = self._free.pop()  # one step of the interpreter: no other thread gets it too
        except IndexError:
            room = np.empty(self.ask("ts_work_size", 0), np.uint8)
        memory = Memory.of(room)
        status = self.ask(name, *arguments, memory)
        self._free.append(room)
        if status:
            raise CoreError(status, memory.message.decode("utf-8", "replace"))

    def ask(self, name: str, *arguments: Any) -> Any:
        """See `Loaded`."""
        return getattr(self._library, name)(self._handle, *map(_pointer, arguments))


def _pointer(value: Any) -> Any:
    """What `ctypes` passes for an argument."""
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise ValueError("the core reads contiguous arrays")
        return value.ctypes.data
    return ctypes.byref(value) if isinstance(value, ctypes.Structure | ctypes._SimpleCData) else value
