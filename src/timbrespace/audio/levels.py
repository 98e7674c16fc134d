"""Samples that cannot be right: NaN, infinite, or far beyond full scale while the rest of the sound is within it."""

from __future__ import annotations

import numpy as np

_BEYOND = 8.0  # times full scale: no mix of sounds gets there, samples stored as whole numbers do
_FEW = 16  # samples per channel
_IMPOSSIBLE = 1e12  # larger than any whole number that is stored as float
_AUDIBLE = 1e-3


def impossible_samples(audio: np.ndarray) -> str | None:
    """Returns why `audio` (channels, time) float32 is damaged, None when it is not.

    A sound that is loud as a whole (whole numbers stored as float) passes; some single samples far above the rest do not.
    """
    if not audio.size:
        return None
    with np.errstate(invalid="ignore"):
        high, low = float(audio.max()), float(audio.min())
    if not np.isfinite([high, low]).all():
        return "contains NaN or infinite samples, or some too large for 32-bit float; export it again from its source"
    peak = max(high, -low)
    if peak <= _BEYOND:
        return None
    size = np.abs(audio)
    beyond = int(np.count_nonzero(size > _BEYOND))
    rest = float(size[size <= _BEYOND].max(initial=0.0))
    few = max(_FEW * audio.shape[0], audio.size // 10 if peak > _IMPOSSIBLE else 0)
    if beyond > few or rest < _AUDIBLE:
        return None
    wild = f"{beyond} of {audio.size} samples reach {peak:.3g}"
    return f"damaged: {wild} while the rest stays within {rest:.3g} (1 is full scale); export it again"
