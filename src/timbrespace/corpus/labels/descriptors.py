"""Labels of a clip by name, and descriptors that are measured from its audio: values that models can be conditioned on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor

from timbrespace.audio.descriptors import attack_time, decay_time, spectral_centroid, spectral_flatness
from timbrespace.corpus.format import ClipInfo

Descriptor = Callable[[Tensor, int], float]

DESCRIPTORS: Mapping[str, Descriptor] = {
    "brightness": lambda mono, rate: float(spectral_centroid(mono, rate)),  # Hz
    "noisiness": lambda mono, rate: float(spectral_flatness(mono)),  # 0 … 1
    "attack": lambda mono, rate: float(attack_time(mono, rate)),  # s
    "decay": lambda mono, rate: float(decay_time(mono, rate)),  # s
    "seconds": lambda mono, rate: mono.shape[-1] / rate,
}
LABEL_FIELDS = ("category", "instrument", "pitch", "velocity")  # labels that are fields of ClipInfo


def measure_descriptor(name: str, audio: Tensor, sample_rate: int) -> float | None:
    """The descriptor `name` (a key of DESCRIPTORS) of a sound `(channels, time)`; None if it is not finite."""
    value = DESCRIPTORS[name](audio.mean(0), sample_rate)
    return value if math.isfinite(value) else None


def clip_label(clip: ClipInfo, name: str) -> str | float | None:
    """The label `name` of a clip: one of LABEL_FIELDS or a key of its `labels`; None if it has none."""
    value = getattr(clip, name) if name in LABEL_FIELDS else clip.labels.get(name)
    return value if value is None or isinstance(value, str) else float(value)
