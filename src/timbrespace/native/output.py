"""The side of an audio device: a callback in the native core with PortAudio's signature, its figures, and what it played."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from timbrespace.native.live import Live


class OutputState(NamedTuple):
    """Blocks and frames played; blocks before which the device ran dry (underflows) or input was lost; frames of the shortest and longest
    block; peak since the last call; the device's clock at the last block and the time until it is audible, both in s, 0: unknown."""

    blocks: int
    frames: int
    underflows: int
    overflows: int
    shortest: int
    longest: int
    peak: float
    time: float
    latency: float


class Output:
    """What an audio device needs of a player, see `Live.output`. Keep it and the player for as long as the device runs.

    callback: address of a PaStreamCallback for interleaved float samples, None where the core is WebAssembly (use `block` then).
    data: the address to pass as its user data.
    """

    def __init__(self, live: Live, channels: int, room: int):
        self._live, self.channels = live, channels
        self.data = live.open_output(channels, room)
        self.callback = live.space.address("ts_output_callback")
        self._block = 0

    def state(self) -> OutputState:
        """Returns the figures of now."""
        live = self._live
        with live.lock:
            live.space.call("ts_output_read", self.data, live.scratch)
            return OutputState(*struct.unpack("<4q2if4x2d", live.taken(64)))

    def take(self) -> tuple[NDArray[np.float32], int]:
        """Returns what was played since the last call `(frames, channels)`, and how many frames were lost so far for lack of room."""
        live, most = self._live, 4096
        pieces: list[NDArray[np.float32]] = []
        lost = 0
        while not pieces or len(pieces[-1]) == most:
            with live.lock:
                count = live.space.call("ts_output_take", self.data, live.scratch + 64, most, live.scratch)
                data = live.taken(64 + 4 * count * self.channels)
            lost = struct.unpack_from("<q", data)[0]
            pieces.append(np.frombuffer(data, np.float32, offset=64).reshape(-1, self.channels))
        return np.concatenate(pieces), lost

    def block(self, frames: int, *, underflow: bool = False) -> NDArray[np.float32]:
        """Returns a block `(frames, channels)` as the callback makes it, for devices that Python serves. frames: at most 16384."""
        live = self._live
        with live.lock:
            self._block = self._block or live.space.take(4 * 2 * 16_384)
            live.space.call("ts_output_callback", 0, self._block, min(frames, 16_384), 0, 4 if underflow else 0, self.data)
            out = np.empty((min(frames, 16_384), self.channels), np.float32)
            live.space.read(self._block, out.ctypes.data, out.nbytes)
        return out
