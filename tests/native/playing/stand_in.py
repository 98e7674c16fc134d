"""A core in Python in place of the native one: latents from the same noise, sounds that are decaying sines."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from timbrespace.native.interface import Drawn
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.file.facts import InstrumentFile
from timbrespace.synthesis.file.header import parse_header


class StandIn:
    """As `timbrespace.native.interface.Opened`. notes: latents hold a pitch. drawn: what was asked for."""

    def __init__(self, file: InstrumentFile, *, notes: bool = False):
        self.rate, self.channels, self.categories = file.sample_rate, file.channels, file.categories
        range_of = {"lowest_pitch": 30.0, "highest_pitch": 90.0} if notes else {"lowest_pitch": 0.0, "highest_pitch": 0.0}
        self.info = SimpleNamespace(dims=len(file.arrays["space.shared"]), notes=int(notes), velocities=0, **range_of)
        self.drawn: list[tuple[int, int]] = []

    def draw(
        self, seed: int, index: int, earlier: np.ndarray, *, category: int = -1, temperature: float = 1.0, pitch: float | None = None,
        velocity: float | None = None,
    ) -> Drawn:  # fmt: skip
        self.drawn.append((index, len(earlier)))
        z = temperature * Noise(seed, Purpose.LATENT, index, 0).normal(self.info.dims)
        if self.info.notes:
            z[-1] = 48.0 + index if pitch is None else pitch
        return Drawn(z.astype(np.float32), index % len(self.categories) if category < 0 else category, index % 3)

    def other(self, data: bytes) -> StandIn:
        found = copy.copy(self)
        found.categories = sorted({label for label in parse_header(Path("other"), data)["labels"] if label is not None})
        return found

    def render(self, z: np.ndarray, seed: int, *, category: int, level: str = "peak", finish: bool = True) -> np.ndarray:
        time = np.arange(self.rate // 4) / self.rate
        wave = np.sin(2 * np.pi * (300 + 40 * float(z[0])) * time + seed % 7) * np.exp(-12 * time)
        return np.repeat(0.5 * wave[None], self.channels, axis=0).astype(np.float32)

    def pitch(self, z: np.ndarray) -> float | None:
        return float(z[-1]) if self.info.notes else None
