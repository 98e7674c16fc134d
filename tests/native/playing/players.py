"""A player of the native core, for tests: structures of timbrespace.h, and calls."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native_core import OK, Core, aligned

TICKS, LANES, STEPS, WALKS = 40_320, 16, 64, 5
Audio = NDArray[np.float32]


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class Structure(ctypes.Structure):
    """One with defaults from the core."""

    defaults = ""

    @classmethod
    def of(cls, core: Core, **values: Any) -> Any:
        """The defaults, some of them changed."""
        result = cls()
        core(cls.defaults, ctypes.byref(result), result=None)
        for name, value in values.items():
            setattr(result, name, value)
        return result


class Options(Structure):
    """ts_player_options."""

    defaults = "ts_player_defaults"
    _fields_ = [*_fields(ctypes.c_int32, "sample_rate voices sounds commands"), ("curve", ctypes.c_float)]


class Voice(Structure):
    """ts_voice."""

    defaults = "ts_voice_defaults"
    _fields_ = _fields(ctypes.c_int32, "sound choke reverse held") + _fields(
        ctypes.c_float, "gain pan tune start attack hold decay release"
    )


class Walk(ctypes.Structure):
    """ts_walk."""

    _fields_ = [("depth", ctypes.c_float), ("period", ctypes.c_int32)]


class Lane(Structure):
    """ts_lane."""

    defaults = "ts_lane_defaults"
    _fields_ = [
        ("voice", Voice),
        *_fields(ctypes.c_int32, "length division mute solo"),
        *_fields(ctypes.c_float, "level swing"),
        ("walks", Walk * WALKS),
    ]


class Step(ctypes.Structure):
    """ts_step."""

    _fields_ = [*_fields(ctypes.c_float, "velocity chance tune gate"), ("ratchets", ctypes.c_int32)]

    def __init__(self, velocity: float = 127, chance: float = 1, tune: float = 0, gate: float = 0, ratchets: int = 1):
        super().__init__(velocity, chance, tune, gate, ratchets)


class Hit(ctypes.Structure):
    """ts_hit."""

    _fields_ = [
        *_fields(ctypes.c_int64, "tick length"),
        *_fields(ctypes.c_int32, "played ratchets"),
        *_fields(ctypes.c_float, "velocity pan tune start decay"),
    ]


class State(ctypes.Structure):
    """ts_player_state."""

    _fields_ = [
        *_fields(ctypes.c_int64, "time tick"),
        *_fields(ctypes.c_int32, "playing voices waiting"),
        ("peak", ctypes.c_float),
        ("tempo", ctypes.c_double),
    ]


class Memory(ctypes.Structure):
    """ts_memory."""

    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t), ("message", ctypes.c_char * 256)]


class Player:
    """A player; its sounds are kept."""

    def __init__(self, core: Core, **options: Any):
        self.core, self.handle, settings = core, ctypes.c_void_p(), Options.of(core, **options)
        size = core("ts_player_size", ctypes.byref(settings), result=ctypes.c_size_t)
        assert size > 0
        self.block, self.kept = aligned(size), []  # type: ignore[var-annotated]
        memory = Memory(self.block.ctypes.data, size, 0, b"")
        assert core("ts_player_open", ctypes.byref(settings), ctypes.byref(memory), ctypes.byref(self.handle)) == OK
        assert memory.used <= size
        self.sample_rate = settings.sample_rate

    def call(self, name: str, *arguments: Any) -> int:
        """The status of ts_player_`name`."""
        passed = [ctypes.byref(value) if isinstance(value, ctypes.Structure) else value for value in arguments]
        return int(self.core(f"ts_player_{name}", self.handle, *passed))

    def do(self, name: str, *arguments: Any) -> None:
        assert self.call(name, *arguments) == OK

    def sound(self, slot: int, samples: Any, *, sample_rate: int = 44_100) -> Audio:
        """Puts a sound `(channels, length)` or `(length,)` in a slot."""
        audio = np.ascontiguousarray(np.atleast_2d(samples), np.float32)
        self.kept.append(audio)
        self.do("sound", slot, audio, audio.shape[0], audio.shape[1], sample_rate)
        return audio

    def play(self, *, time: int = 0, lane: int = -1, id: int = 0, velocity: float = 127, **voice: Any) -> None:  # noqa: A002
        self.do("play", time, lane, id, ctypes.c_float(velocity), Voice.of(self.core, **voice))

    def lane(self, index: int, steps: Sequence[Step], *, time: int = 0, voice: dict[str, Any] | None = None, **values: Any) -> None:
        """Sets a lane and its steps, as many as there are."""
        lane = Lane.of(self.core, **{"length": len(steps), **values})
        for name, value in (voice or {}).items():
            setattr(lane.voice, name, value)
        self.do("lane", time, index, lane)
        self.do("steps", time, index, 0, len(steps), (Step * len(steps))(*steps))

    def process(self, blocks: int | Iterable[int]) -> Audio:
        """What it plays in blocks of these lengths, `(2, time)`."""
        pieces = []
        for frames in [blocks] if isinstance(blocks, int) else blocks:
            piece = np.full((2, frames), np.nan, np.float32)
            self.core("ts_player_process", self.handle, piece[0], piece[1], frames, result=None)
            pieces.append(piece)
        return np.concatenate(pieces, 1)

    @property
    def state(self) -> State:
        state = State()
        self.core("ts_player_read", self.handle, ctypes.byref(state), result=None)
        return state


def click(length: int = 1) -> Audio:
    """A sound whose onset is one sample of 1/2."""
    audio = np.zeros(length, np.float32)
    audio[0] = 0.5
    return audio


def onsets(audio: Audio) -> list[int]:
    """Samples that are not 0."""
    return np.flatnonzero(np.abs(audio).max(0) > 1e-6).tolist()
