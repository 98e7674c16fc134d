"""What is known of a clip by name: its labels, its pitch and velocity, what its reader told, and figures measured from its sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor

from timbrespace.audio.descriptors import attack_time, decay_time, spectral_centroid, spectral_flatness
from timbrespace.corpus.rows import ClipInfo

Measure = Callable[[Tensor, int], float]

MEASURED: Mapping[str, Measure] = {
    "brightness": lambda mono, rate: float(spectral_centroid(mono, rate)),  # Hz
    "noisiness": lambda mono, rate: float(spectral_flatness(mono)),  # 0 … 1
    "attack": lambda mono, rate: float(attack_time(mono, rate)),  # s
    "decay": lambda mono, rate: float(decay_time(mono, rate)),  # s
    "seconds": lambda mono, rate: mono.shape[-1] / rate,
}
TOLD = ("category", "instrument", "pitch", "velocity")


def measured(name: str, audio: Tensor, sample_rate: int) -> float | None:
    """A figure of MEASURED from a sound `(channels, time)`; None where it cannot be told."""
    value = MEASURED[name](audio.mean(0), sample_rate)
    return value if math.isfinite(value) else None


def fact(clip: ClipInfo, name: str) -> str | float | None:
    """What the manifest says of a clip: one of TOLD, or a label that its reader gave; None where it says nothing."""
    value = getattr(clip, name) if name in TOLD else clip.labels.get(name)
    return value if value is None or isinstance(value, str) else float(value)
