"""Rhythms of a walk: lanes of the core's scheduler, with as many pulses as evenly as can be, chance, and velocities that wander."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from timbrespace.native.calls import Core, CoreError, Space
from timbrespace.native.library import load_core

TICKS = 40_320  # a beat, as in timbrespace.h
_VOICE = struct.pack("<4i8f", 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0, 0.05)


@dataclass(frozen=True)
class Rhythm:
    """A pattern that repeats: `pulses` of `length` sixteenths, turned by `rotation`. chance: of each. velocity: 1 to 127, in the middle of

    what it wanders by, `depth`, within `period` steps. swing: 0.5 straight to 0.75. ratchets: of a step now and then."""

    length: int
    pulses: int
    rotation: int = 0
    chance: float = 1.0
    velocity: float = 96.0
    depth: float = 16.0
    period: int = 8
    swing: float = 0.5
    ratchets: int = 1


@dataclass(frozen=True)
class Hit:
    """A step that is played: ticks since the start and to the next step, times within it, velocity."""

    tick: int
    length: int
    times: int
    velocity: float


class Scheduler:
    """Asks the native core what a lane plays: the same hits that its player, and the page in a browser, would play. Use `close`."""

    def __init__(self, core: Core | None = None):
        """core: None: as the rest of timbrespace uses it. Raises CoreError."""
        self._space: Space = (core or load_core()).space()
        self._memory = self._space.take(1024)
        self._steps = lru_cache(1024)(self.euclid)

    def close(self) -> None:
        """Gives the memory back."""
        self._space.give(self._memory)

    def euclid(self, pulses: int, steps: int, rotation: int = 0) -> int:
        """Returns the steps of an even rhythm as bits (Bjorklund 2003)."""
        return int(self._space.call("ts_euclid", pulses, steps, rotation))

    def hit(self, lane: int, rhythm: Rhythm, seed: int, number: int) -> Hit | None:
        """Returns what step `number` of a lane plays, None for a rest. lane: 0 to 15. seed: of chance and wandering."""
        if not self._steps(rhythm.pulses, rhythm.length, rhythm.rotation) >> number % rhythm.length & 1:
            return None
        walks = [rhythm.depth, rhythm.period, *[0.0, 1] * 4]
        self._write(0, _VOICE + struct.pack("<4i2f" + "fi" * 5, rhythm.length, 4, 0, 0, 1.0, rhythm.swing, *walks))
        self._write(256, struct.pack("<4fi", rhythm.velocity, rhythm.chance, 0.0, 1.0, rhythm.ratchets))
        status = self._space.call("ts_lane_hit", self._memory, lane, self._memory + 256, seed, number, self._memory + 512)
        if status:
            raise CoreError(status, f"the rhythm {rhythm} is out of range")
        room = np.empty(48, np.uint8)
        self._space.read(self._memory + 512, room.ctypes.data, room.nbytes)
        tick, length, played, ratchets, velocity = struct.unpack("<2q2if", room[:28].tobytes())
        return Hit(tick, length, max(ratchets, 1), velocity) if played else None

    def _write(self, at: int, data: bytes) -> None:
        room = ctypes.create_string_buffer(data, len(data))
        self._space.write(self._memory + at, ctypes.addressof(room), len(data))
