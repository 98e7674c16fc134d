"""Functions of the native core (native/include/timbrespace.h) as Python calls them, whichever way the core is loaded."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

from timbrespace.contracts import TimbrespaceError

ABI = 1  # TS_ABI of the header
DAMAGED, VERSION, UNCOVERED, ARGUMENT, MEMORY = range(1, 6)  # ts_status
# Result and arguments of the functions that Python calls, by the letters of KINDS.
SIGNATURES = {
    "ts_abi": "i:",
    "ts_supported": "i:",
    "ts_open_size": "z:pz",
    "ts_open": "i:pzpp",
    "ts_info_of": "v:pp",
    "ts_category": "z:pipz",
    "ts_control_of": "i:pip",
    "ts_seed": "u:uu",
    "ts_draw_defaults": "v:p",
    "ts_draw": "i:pppippp",
    "ts_around": "i:ppfuipp",
    "ts_steer": "i:pppppp",
    "ts_pitch": "f:pp",
    "ts_velocity": "f:pp",
    "ts_set_pitch": "i:ppf",
    "ts_set_velocity": "i:ppf",
    "ts_render_defaults": "v:p",
    "ts_work_size": "z:pi",
    "ts_render": "i:ppppipp",
    "ts_levels": "i:pppppp",
}
KINDS = {"v": None, "i": ctypes.c_int32, "u": ctypes.c_uint64, "z": ctypes.c_size_t, "f": ctypes.c_float, "p": ctypes.c_void_p}


class CoreError(TimbrespaceError):
    """What the core refuses, or why it cannot be loaded. status: one of those above; 0: it cannot be loaded."""

    def __init__(self, status: int, message: str):
        super().__init__(message or f"the native core gave status {status}")
        self.status = status


class Loaded(Protocol):
    """An instrument that the core has opened. Several threads may call it at once; the interpreter lock is released meanwhile.

    Arguments are numbers, None for NULL, and what the function reads or writes in place: contiguous arrays and structures of `ctypes`.
    """

    def call(self, name: str, *arguments: Any) -> None:
        """Calls ts_NAME(instrument, arguments …, work memory). Raises CoreError with the core's message."""

    def ask(self, name: str, *arguments: Any) -> Any:
        """Returns what ts_NAME(instrument, arguments …) returns, for functions that need no work memory."""


class Core(Protocol):
    """The core, loaded. way: "native" or "wasm"."""

    way: str

    def open(self, data: bytes) -> Loaded:
        """Opens an instrument file in memory. Raises CoreError where it is damaged or not played here."""
