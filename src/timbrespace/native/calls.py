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
    "ts_note_bins": "i:p",
    "ts_note_parts": "i:ppppppp",
    "ts_near": "i:pppppipp",
    "ts_measure": "i:pppp",
    "ts_length": "i:pppp",
    "ts_player_size": "z:p",
    "ts_player_open": "i:ppp",
    "ts_player_process": "v:pppi",
    "ts_player_sound": "i:pipili",
    "ts_player_uses": "i:pp",
    "ts_player_play": "i:pliifp",
    "ts_player_release": "i:pli",
    "ts_player_bend": "i:plif",
    "ts_player_silence": "i:pli",
    "ts_player_master": "i:plf",
    "ts_player_lane": "i:plip",
    "ts_player_steps": "i:pliiip",
    "ts_player_seed": "i:plu",
    "ts_player_tempo": "i:pld",
    "ts_player_start": "i:pll",
    "ts_player_stop": "i:pl",
    "ts_player_read": "v:pp",
    "ts_lane_hit": "i:pipulp",
    "ts_euclid": "u:iii",
    "ts_held_size": "z:p",
    "ts_held_open": "i:ppp",
    "ts_held_play": "i:plifp",
    "ts_held_move": "i:pliiff",
    "ts_held_partials": "i:pliippf",
    "ts_held_spectrum": "i:plippf",
    "ts_spectrum_partials": "i:ppiipp",
    "ts_output_size": "z:i",
    "ts_output_open": "i:piipp",
    "ts_output_callback": "i:ppzpzp",
    "ts_output_take": "i:ppip",
    "ts_output_read": "v:pp",
}
KINDS = {
    "v": None, "i": ctypes.c_int32, "l": ctypes.c_int64, "u": ctypes.c_uint64, "z": ctypes.c_size_t, "f": ctypes.c_float,
    "d": ctypes.c_double, "p": ctypes.c_void_p,
}  # fmt: skip


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


class Space(Protocol):
    """Memory of the core that stays, and calls with places in it: for what lives longer than a call. pointer: bytes of a place.

    One thread may use it at a time, but where `shared`: there ts_player_process may run beside other calls.
    """

    pointer: int
    shared: bool

    def take(self, size: int) -> int:
        """Returns the place of `size` bytes, zeros. Raises CoreError where there is no room."""

    def give(self, place: int) -> None:
        """Gives back what `take` gave."""

    def write(self, place: int, source: int, size: int) -> None:
        """Copies `size` bytes from an address of the process to a place."""

    def read(self, place: int, target: int, size: int) -> None:
        """Copies `size` bytes from a place to an address of the process."""

    def call(self, name: str, *arguments: Any) -> Any:
        """Returns what a function of the header returns; places are numbers, 0 for NULL."""

    def address(self, name: str) -> int | None:
        """Returns the address of a function for other libraries of the process; None: it has none."""


class Core(Protocol):
    """The core, loaded. way: "native" or "wasm"."""

    way: str

    def open(self, data: bytes) -> Loaded:
        """Opens an instrument file in memory. Raises CoreError where it is damaged or not played here."""

    def space(self) -> Space:
        """Returns memory of its own. Raises CoreError."""
