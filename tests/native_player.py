"""The public functions of the native core (native/include/timbrespace.h) for tests: an instrument file in, latents and sounds out."""

from __future__ import annotations

import ctypes
import math
from ctypes import Structure, byref, c_char, c_float, c_int32, c_size_t, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native_core import MEMORY, OK, Core, aligned

Floats = NDArray[np.float32]


class PlayerError(Exception):
    """A status that is not TS_OK, with its message."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Memory(Structure):
    """ts_memory."""

    _fields_ = (("base", c_void_p), ("size", c_size_t), ("used", c_size_t), ("message", c_char * 256))

    def __init__(self, size: int):
        self.block = aligned(size)
        super().__init__(self.block.ctypes.data, size)


class Info(Structure):
    """ts_info."""

    _fields_ = (
        *((name, c_int32) for name in (
            "dims", "sample_rate", "channels", "samples", "capacity", "categories", "controls", "notes", "velocities", "parts", "bands",
            "frames", "steps",
        )),
        *((name, c_float) for name in (
            "lowest_pitch", "highest_pitch", "learned_low", "learned_high", "lowest_velocity", "highest_velocity",
        )),
    )  # fmt: skip


class ControlInfo(Structure):
    """ts_control."""

    _fields_ = (
        ("name", c_char * 16), ("unit", c_char * 4), ("more", c_char * 16), ("less", c_char * 16), ("logarithmic", c_int32),
        *((name, c_float) for name in ("low", "high", "lowest", "highest", "spread")),
    )  # fmt: skip


class DrawRequest(Structure):
    """ts_draw_request."""

    _fields_ = (
        ("seed", c_uint64), ("index", c_int32), ("category", c_int32), ("temperature", c_float), ("pitch", c_float), ("velocity", c_float),
        ("drafted", c_int32),
    )  # fmt: skip


class Drawn(Structure):
    """ts_drawn."""

    _fields_ = (("category", c_int32), ("redrawn", c_int32))


class RenderRequest(Structure):
    """ts_render_request."""

    _fields_ = (
        ("seed", c_uint64), ("category", c_int32), ("samples", c_int32), ("steps", c_int32), ("texture", c_int32), ("finish", c_int32),
        ("level", c_int32), ("target_db", c_float), ("trim", c_int32), ("subsonics", c_int32), ("reserved", c_int32),
    )  # fmt: skip


class Player:
    """An opened instrument. Raises PlayerError where the core returns a status."""

    def __init__(self, core: Core, data: bytes, *, most_work: int = 1 << 32):
        self.core, self.data = core, np.frombuffer(data, np.uint8).copy()
        self.pointer, self.info = c_void_p(), Info()
        size = core("ts_open_size", self.data, len(data), result=c_size_t)
        self.memory = Memory(min(size, 1 << 30))
        self._checked(core("ts_open", self.data, len(data), byref(self.memory), byref(self.pointer)), self.memory)
        core("ts_info_of", self.pointer, byref(self.info), result=None)
        self.work = Memory(min(most_work, core("ts_work_size", self.pointer, 0, result=c_size_t)))
        self.categories = [self.category(k) for k in range(self.info.categories)]

    def category(self, index: int) -> str:
        text = ctypes.create_string_buffer(1000)
        self.core("ts_category", self.pointer, index, text, 1000, result=c_size_t)
        return text.value.decode()

    def controls(self) -> list[ControlInfo]:
        found = [ControlInfo() for _ in range(self.info.controls)]
        for index, control in enumerate(found):
            self._checked(self.core("ts_control_of", self.pointer, index, byref(control)), self.work)
        return found

    def draw(self, earlier: Floats | None = None, **asked: Any) -> tuple[Floats, int, int]:
        """A latent, the index of its category, and how often it was drawn again."""
        request, drawn, z = DrawRequest(), Drawn(), np.zeros(self.info.dims, np.float32)
        self.core("ts_draw_defaults", byref(request), result=None)
        _set(request, asked)
        count = 0 if earlier is None else len(earlier)
        arguments = (self.pointer, byref(request), earlier if count else c_void_p(), count, z, byref(drawn), byref(self.work))
        self._checked(self.core("ts_draw", *arguments), self.work)
        return z, drawn.category, drawn.redrawn

    def around(self, z: Floats, amount: float, seed: int, index: int) -> Floats:
        out = np.zeros_like(z)
        arguments = (self.pointer, z, c_float(amount), seed, index, out, byref(self.work))
        self._checked(self.core("ts_around", *arguments), self.work)
        return out

    def steer(self, z: Floats, **amounts: float) -> tuple[Floats, dict[str, float]]:
        names = [control.name.decode() for control in self.controls()]
        asked = np.array([amounts.get(name, math.nan) for name in names], np.float32)
        out, changes = np.zeros_like(z), np.zeros(len(names), np.float32)
        self._checked(self.core("ts_steer", self.pointer, z, asked, out, changes, byref(self.work)), self.work)
        return out, dict(zip(names, changes.tolist(), strict=True))

    def levels(self, z: Floats, samples: int = 0) -> tuple[Floats, int]:
        """Levels `(parts, frames, bands)` and the length in samples."""
        db = np.zeros(self.info.parts * self.info.frames * self.info.bands, np.float32)
        length, frames = c_int32(samples), c_int32()
        arguments = (self.pointer, z, byref(length), db, byref(frames), byref(self.work))
        self._checked(self.core("ts_levels", *arguments), self.work)
        shape = (self.info.parts, frames.value, self.info.bands)
        return db[: int(np.prod(shape))].reshape(shape), length.value

    def render(self, z: Floats, **asked: Any) -> Floats:
        """Audio `(channels, samples)`."""
        request, samples = RenderRequest(), c_int32()
        self.core("ts_render_defaults", byref(request), result=None)
        _set(request, asked)
        audio = np.zeros((self.info.channels, self.info.capacity), np.float32)
        arguments = (self.pointer, z, byref(request), audio, self.info.capacity, byref(samples), byref(self.work))
        self._checked(self.core("ts_render", *arguments), self.work)
        return audio[:, : samples.value].copy()

    def seed(self, seed: int, index: int) -> int:
        return int(self.core("ts_seed", seed, index, result=c_uint64))

    @staticmethod
    def _checked(status: int, memory: Memory) -> None:
        assert OK <= status <= MEMORY
        if status != OK:
            raise PlayerError(status, memory.message.decode())


def _set(request: Structure, asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        assert hasattr(request, name)
        setattr(request, name, value)
