"""The native core as WebAssembly, run by wasmtime: the same functions in a memory of their own, into which arguments are copied."""

from __future__ import annotations

import atexit
import ctypes
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.native.blocks import ALIGNMENT, Blocks
from timbrespace.native.calls import ABI, MEMORY, SIGNATURES, VERSION, CoreError

_PAGE = 65_536  # bytes by which a memory of WebAssembly grows
_MOST = 2**32 - _PAGE


class _Memory(ctypes.LittleEndianStructure):
    """`ts_memory` of the header with the pointers of WebAssembly."""

    _fields_ = (("base", ctypes.c_uint32), ("size", ctypes.c_uint32), ("used", ctypes.c_uint32), ("message", ctypes.c_char * 256))


class WasmCore:
    """The core as WebAssembly. wasmtime keeps the machine code in the user's cache folder, so that later processes do not compile it."""

    way = "wasm"

    def __init__(self, path: Path):
        """Raises CoreError where wasmtime is missing or does not run here."""
        try:
            import wasmtime
        except (ImportError, OSError, RuntimeError) as error:
            raise CoreError(0, f"wasmtime does not run here: {error}") from error
        self.wasmtime = wasmtime
        try:
            self.engine = wasmtime.Engine(_cached(wasmtime))
            self.module = wasmtime.Module(self.engine, path.read_bytes())
            self.held: weakref.WeakSet[Any] = weakref.WeakSet([self.engine, self.module])
            atexit.register(_close, self.held)  # later, wasmtime could not, and would complain of that
            found = _Instance(self).call("ts_abi")
        except (OSError, wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise CoreError(0, f"the WebAssembly core does not run here: {error}") from error
        if found != ABI:
            raise CoreError(VERSION, f"the WebAssembly core has interface {found}, {ABI} is needed: install timbrespace again")

    def open(self, data: bytes) -> WasmLoaded:
        """See `Core`."""
        return WasmLoaded(self, data)

    def space(self) -> WasmSpace:
        """See `Core`."""
        return WasmSpace(self)


def _cached(wasmtime: Any) -> Any:
    """Settings with wasmtime's cache of compiled code, without where the user has no folder that can be written."""
    config = wasmtime.Config()
    try:
        config.cache = True
    except wasmtime.WasmtimeError:
        config = wasmtime.Config()
    return config


def _close(held: weakref.WeakSet[Any]) -> None:
    """Gives back what wasmtime holds."""
    for item in list(held):
        item.close()


class WasmLoaded:
    """An instrument opened by the core as WebAssembly: every call has an instance for itself, with the file in its memory.

    Instances are used again, also by threads that begin later: opening one takes as long as several sounds.
    """

    def __init__(self, core: WasmCore, data: bytes):
        self._core, self._data = core, data
        self._free = [_Opened(core, data)]  # a damaged file is found now

    def call(self, name: str, *arguments: Any) -> None:
        """See `Loaded`."""
        memory = _Memory(0, 0, 0, b"")
        if status := self._run(name, *arguments, memory):
            raise CoreError(status, memory.message.decode("utf-8", "replace"))

    def ask(self, name: str, *arguments: Any) -> Any:
        """See `Loaded`."""
        return self._run(name, *arguments)

    def _run(self, name: str, *arguments: Any) -> Any:
        try:
            opened = self._free.pop()  # one step of the interpreter: no other thread gets it too
        except IndexError:
            opened = _Opened(self._core, self._data)
        if arguments and isinstance(arguments[-1], _Memory):
            arguments[-1].base, arguments[-1].size = opened.work, opened.work_size
        try:
            given = opened.call(name, opened.handle, *arguments)
        except self._core.wasmtime.Trap as error:  # a fault of the core: its memory may be in any state, and is not used again
            raise CoreError(0, f"the WebAssembly core stopped: {error}") from error
        self._free.append(opened)
        return given


class _Instance:
    """The core's functions and memory, for one thread. Memory is taken in order, from the end of the core's own data."""

    def __init__(self, core: WasmCore):
        self.store = core.wasmtime.Store(core.engine)
        core.held.add(self.store)
        exports = core.wasmtime.Instance(self.store, core.module, []).exports(self.store)
        self._functions = {name: exports[name] for name in SIGNATURES}
        self._memory, self._used = exports["memory"], int(exports["__heap_base"].value(self.store))

    def take(self, size: int) -> int:
        """Returns the place of `size` bytes. Raises CoreError."""
        place = -(-self._used // ALIGNMENT) * ALIGNMENT
        self._reach(place + size)
        return place

    def write(self, place: int, source: int, size: int) -> None:
        """Copies `size` bytes from an address of the process to a place."""
        ctypes.memmove(self._address() + place, source, size)

    def read(self, place: int, target: int, size: int) -> None:
        """Copies `size` bytes from a place to an address of the process."""
        ctypes.memmove(target, self._address() + place, size)

    def call(self, name: str, *arguments: Any) -> Any:
        """Returns what a function returns; arrays and structures are copied in, and out again unless they are read-only."""
        before, copies = self._used, []
        passed: list[float] = []
        result, kinds = SIGNATURES[name].split(":")
        for value, kind in zip(arguments, kinds, strict=True):
            if (found := _bytes_of(value)) is not None:
                address, size, writable = found
                place = self.take(size)
                copies.append((place, address, size, writable))
                passed.append(_signed(place, 32))
            elif isinstance(value, float) or kind in "fd":
                passed.append(float(value))
            else:
                passed.append(_signed(value or 0, 64 if kind in "ul" else 32))
        for place, address, size, _ in copies:
            self.write(place, address, size)
        given = self._functions[name](self.store, *passed)
        for place, address, size, writable in copies:
            if writable:
                self.read(place, address, size)
        self._used = before
        return given % 2**64 if result == "u" else given % 2**32 if result == "z" else given

    def _reach(self, end: int) -> None:
        """Makes the memory reach up to a place."""
        if end > _MOST:
            raise CoreError(MEMORY, f"the instrument needs {end / 1e9:.1f} GB; WebAssembly has at most 4")
        if (missing := end - self._memory.data_len(self.store)) > 0:
            self._memory.grow(self.store, -(-missing // _PAGE))
        self._used = end

    def _address(self) -> int:
        return ctypes.addressof(self._memory.data_ptr(self.store).contents)


class WasmSpace(_Instance):
    """Memory of an instance, for what lives longer than a call. See `calls.Space`."""

    pointer, shared = 4, False

    def __init__(self, core: WasmCore):
        super().__init__(core)
        self._trap = core.wasmtime.Trap
        self._blocks = Blocks(self._used, self._reach)

    def take(self, size: int) -> int:
        """See `Space`."""
        place, room = self._blocks.take(size)
        ctypes.memset(self._address() + place, 0, room)
        return place

    def give(self, place: int) -> None:
        """See `Space`."""
        self._blocks.give(place)

    def call(self, name: str, *arguments: Any) -> Any:
        """See `Space`."""
        try:
            return super().call(name, *arguments)
        except self._trap as error:
            raise CoreError(0, f"the WebAssembly core stopped: {error}") from error

    def address(self, name: str) -> int | None:
        """See `Space`."""
        return None


class _Opened(_Instance):
    """An instance with an opened instrument and work memory."""

    def __init__(self, core: WasmCore, data: bytes):
        super().__init__(core)
        source = np.frombuffer(data, np.uint8)
        file = self.take(source.size)
        self.write(file, source.ctypes.data, source.size)
        size = self.call("ts_open_size", file, source.size)
        memory, handle = _Memory(self.take(size), size, 0, b""), ctypes.c_uint32()
        status = self.call("ts_open", file, source.size, memory, handle)
        if status:
            raise CoreError(status, memory.message.decode("utf-8", "replace"))
        self.handle = handle.value
        self.work_size = self.call("ts_work_size", self.handle, 0)
        self.work = self.take(self.work_size)


def _bytes_of(value: Any) -> tuple[int, int, bool] | None:
    """Returns address, size and whether it may be written of an array or a structure; None for numbers."""
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise ValueError("the core reads contiguous arrays")
        return value.ctypes.data, value.nbytes, value.flags.writeable
    if isinstance(value, ctypes.Structure | ctypes._SimpleCData):
        return ctypes.addressof(value), ctypes.sizeof(value), True
    return None


def _signed(value: int, bits: int) -> int:
    """Returns a whole number as WebAssembly has it, with a sign."""
    value %= 2**bits
    return value - 2**bits if value >= 2 ** (bits - 1) else value
