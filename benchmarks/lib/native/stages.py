"""The stages of one sound in the native core, each timed by itself: the internal functions of native/src/parts.h, called in their order."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from lib.process import ROOT

_PEAK_DB, _ROUNDS = -1.0, 5


class _Memory(ctypes.Structure):
    """`ts_memory` of timbrespace.h."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("message", ctypes.c_char * 256))


class _Arena(ctypes.Structure):
    """`Arena` of base.h."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("peak", ctypes.c_size_t))


class _Levels(ctypes.Structure):
    """`Levels` of parts.h."""

    _fields_ = (("parts", ctypes.c_int), ("frames", ctypes.c_int), ("bands", ctypes.c_int), ("db", ctypes.c_void_p))


class _Finish(ctypes.Structure):
    """`Finish` of parts.h."""

    _fields_ = (("level", ctypes.c_int), ("target_db", ctypes.c_double), ("trim", ctypes.c_int), ("subsonics", ctypes.c_int))


class _Draw(ctypes.Structure):
    """`ts_draw_request` of timbrespace.h."""

    _fields_ = (
        *(("seed", ctypes.c_uint64), ("index", ctypes.c_int32), ("category", ctypes.c_int32), ("temperature", ctypes.c_float)),
        *(("pitch", ctypes.c_float), ("velocity", ctypes.c_float), ("drafted", ctypes.c_int32)),
    )


class Drawn(NamedTuple):
    """A new sound: latent `(dims,)`, number of its category, seed of its noise."""

    z: np.ndarray
    category: int
    seed: int


def native_script() -> ModuleType:
    """scripts/native.py as a module."""
    spec = importlib.util.spec_from_file_location("native_script", ROOT / "scripts" / "native.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{ROOT / 'scripts' / 'native.py'} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Stages:
    """An instrument file whose parts are opened one by one, in a library with all functions visible."""

    def __init__(self, library: Path, data: bytes):
        """library: built with `visible=True`, see scripts/native.py. data: the file."""
        self._library, self._data = ctypes.CDLL(str(library)), np.frombuffer(data, np.uint8)
        self._library.ts_open_size.restype = self._library.ts_work_size.restype = ctypes.c_size_t
        self._library.ts_seed.restype = ctypes.c_uint64
        place, size = ctypes.c_void_p(self._data.ctypes.data), ctypes.c_size_t(self._data.size)
        needed = self._library.ts_open_size(place, size)
        self._rooms = [np.empty(needed, np.uint8) for _ in range(2)]
        self._arena = self._arena_of(self._rooms[0])
        self.instrument, memory = ctypes.c_void_p(), _Memory(self._rooms[1].ctypes.data, needed)
        if self._library.ts_open(place, size, ctypes.byref(memory), ctypes.byref(self.instrument)):
            sys.exit(f"the native core does not play this instrument: {memory.message.decode()}")
        self._work_room = np.empty(self._library.ts_work_size(self.instrument, 0), np.uint8)
        self._work = self._arena_of(self._work_room)
        self._file = self._opened("file_open", place, size)
        self._parts = {name: self._opened(f"{name}_open", self._file) for name in ("model", "detail", "note", "phase")}
        self._texture = None if self._parts["detail"] or self._parts["note"] else self._opened("texture_open", self._file)
        info = self._info()
        self.dims, self.rate, self.channels, self.steps = (int(info[place]) for place in (0, 1, 2, 12))

    def draw(self, count: int, seed: int) -> tuple[list[Drawn], float]:
        """Returns new sounds, and seconds for one of them."""
        found, before = [], time.perf_counter()
        for index in range(count):
            z, drawn = np.zeros(self.dims, np.float32), (ctypes.c_int32 * 2)()
            request = _Draw(seed, index, -1, 1.0, float("nan"), float("nan"), 0)
            memory = _Memory(self._work_room.ctypes.data, self._work_room.size)
            arguments = (self.instrument, ctypes.byref(request), None, 0, ctypes.c_void_p(z.ctypes.data), drawn, ctypes.byref(memory))
            self._check(self._library.ts_draw(*arguments))
            found.append(Drawn(z, drawn[0], self._library.ts_seed(ctypes.c_uint64(seed), ctypes.c_uint64(index))))
        return found, (time.perf_counter() - before) / count

    def times(self, drawn: Drawn, *, steps: int) -> tuple[dict[str, float], float]:
        """Returns seconds by stage, the least of some rounds, and the length of the sound in s before it is finished.

        steps: of the phase search.
        """
        rounds = [self._once(drawn, steps) for _ in range(_ROUNDS)]
        return {name: min(one[name] for one, _ in rounds) for name in rounds[0][0]}, rounds[0][1]

    def _once(self, drawn: Drawn, steps: int) -> tuple[dict[str, float], float]:
        found: dict[str, float] = {}

        def stage(name: str, call: Callable[[], int]) -> None:
            start = time.perf_counter()
            status = call()
            found[name] = time.perf_counter() - start
            self._check(status)

        library, work, parts = self._library, ctypes.byref(self._work), self._parts
        self._work.used = 0
        rate, channels = self.rate, ctypes.c_int(self.channels)
        z, category, seed = ctypes.c_void_p(drawn.z.ctypes.data), ctypes.c_int(drawn.category), ctypes.c_uint64(drawn.seed)
        samples, levels = ctypes.c_int64(0), _Levels()
        stage("decoder", lambda: library.model_decode(parts["model"], z, ctypes.byref(samples), ctypes.byref(levels), work))
        length = samples.value
        audio = np.zeros((self.channels, length + 1024), np.float32)  # its start is [channel][length]
        place, changed = ctypes.c_void_p(audio.ctypes.data), ctypes.byref(levels)
        if parts["note"]:
            library.ts_pitch.restype = ctypes.c_float
            midi = ctypes.c_double(library.ts_pitch(self.instrument, z))
            note = (parts["note"], changed, z, category, midi, seed, ctypes.c_int64(length), place, work)
            stage("oscillators and noise", lambda: library.note_render(*note))
        else:
            if parts["detail"]:
                stage("detail", lambda: library.detail_add(parts["detail"], z, category, seed, changed, work))
            else:
                stage("noise texture", lambda: library.texture_add(self._texture, seed, ctypes.c_int64(length), changed, work))
            for name, count in (("phase without a search", 0), ("phase", steps)):
                phase = (parts["phase"], changed, ctypes.c_int64(length), seed, ctypes.c_int(count), place, work)
                stage(name, lambda phase=phase: library.phase_render(*phase))  # type: ignore[misc]
            found[f"search, {steps} steps"] = found.pop("phase") - found["phase without a search"]
            if parts["detail"]:
                sharpen = (parts["detail"], category, place, channels, ctypes.c_int64(length), work)
                stage("rise time", lambda: library.detail_sharpen(*sharpen))
        finish, spaced = _Finish(0, _PEAK_DB, 1, 0), np.zeros_like(audio)
        spaced[:, :length] = audio.reshape(-1)[: audio.shape[0] * length].reshape(-1, length)
        room, place = ctypes.c_int64(audio.shape[1]), ctypes.c_void_p(spaced.ctypes.data)
        finishing = (place, channels, ctypes.byref(samples), room, ctypes.c_int(rate), ctypes.byref(finish), work)
        stage("finishing", lambda: library.finish_sound(*finishing))
        return found, length / rate

    def _info(self) -> Any:
        """`ts_info` of timbrespace.h as whole numbers: dims, rate, channels …; 12: steps."""
        found = (ctypes.c_int32 * 64)()
        self._library.ts_info_of(self.instrument, found)
        return found

    def _opened(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        part = ctypes.c_void_p()
        self._check(getattr(self._library, name)(ctypes.byref(part), *arguments, ctypes.byref(self._arena)))
        return part

    def _arena_of(self, room: np.ndarray) -> _Arena:
        skipped = -room.ctypes.data % 64
        return _Arena(room.ctypes.data + skipped, room.size - skipped)

    def _check(self, status: int) -> None:
        if status:
            sys.exit(f"the native core gave status {status}; see native/include/timbrespace.h")
