"""The axes of features: names and units of the parts, frequencies of the bands, times of the frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Kind = Literal["level", "magnitude", "signed", "cyclic"]
Spacing = Literal["linear", "logarithmic", "linear then logarithmic"]

CHANNELS = {1: ("",), 2: ("left", "right")}
MIDDLE_SIDE = {1: ("",), 2: ("middle", "side")}


class Part(NamedTuple):
    """One quantity of a channel ('magnitude'), or one part of the features ('left magnitude').

    unit: 'dB', 'rad', 'half turns a hop', or '' for dimensionless numbers. meaning: the reference value, for instance what 0 dB is.
    kind: level (dB), magnitude (0 and above), signed (around 0), cyclic (values `turn` apart are equal). turn: period of a cyclic
    quantity in its unit, 0 for the others.
    """

    name: str
    unit: str
    meaning: str
    kind: Kind
    turn: float = 0.0


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of features `(parts, bands, frames)` of one sound.

    Args:
        parts: names and units.
        centres, lower, upper: of the bands, float64 `(bands,)` in `band_unit`; neighbouring bands may overlap.
        frames: number of frames.
        first_s, step_s: time of frame 0 and between frames, s; the time of a frame is the middle of its window.
        band_unit: 'Hz', 's' (`waveform`: relative to the frame's time) or '' for bands that are numbered.
        spacing: of the centres.
    """

    parts: tuple[Part, ...]
    centres: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    frames: int
    first_s: float
    step_s: float
    band_unit: Literal["Hz", "s", ""] = "Hz"
    spacing: Spacing = "linear"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(parts, bands, frames)`."""
        return len(self.parts), len(self.centres), self.frames

    @property
    def times(self) -> NDArray[np.float64]:
        """Times of the frames in s, `(frames,)`."""
        return self.first_s + self.step_s * np.arange(self.frames, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Returns all axes as JSON values."""
        return {
            "parts": [part._asdict() for part in self.parts],
            "bands": {
                "unit": self.band_unit,
                "spacing": self.spacing,
                "centres": _rounded(self.centres),
                "lower": _rounded(self.lower),
                "upper": _rounded(self.upper),
            },
            "frames": {"unit": "s", "count": self.frames, "first": self.first_s, "step": self.step_s},
        }


def name_parts(parts: Sequence[Part], channels: Sequence[str]) -> tuple[Part, ...]:
    """Returns the parts of every channel, channel by channel: 'left real', 'left imaginary', 'right real' …"""
    return tuple(part._replace(name=f"{channel} {part.name}".strip()) for channel in channels for part in parts)


def linear_bins(bins: int, width: float, *, first: float = 0.0, top: float = math.inf) -> dict[str, Any]:
    """Returns centres, lower and upper of `bins` bands `width` Hz apart from `first` Hz; edges are half way, clipped to 0 to `top`."""
    centres = first + width * np.arange(bins, dtype=np.float64)
    return {"centres": centres, "lower": (centres - width / 2).clip(0, top), "upper": (centres + width / 2).clip(0, top)}


def level_part(meaning: str) -> Part:
    """Returns a level in dB."""
    return Part("level", "dB", meaning, "level")


def phase_part(name: str = "phase") -> Part:
    """Returns a phase in rad."""
    return Part(name, "rad", "-π to π", "cyclic", 2 * math.pi)


def _rounded(values: ArrayLike) -> list[float]:
    return [float(f"{value:.9g}") for value in np.asarray(values, dtype=np.float64)]
