"""Detects impossible samples: NaN, infinite, or a few far above full scale while the others are within it."""

from __future__ import annotations

import numpy as np

_BEYOND = 8.0  # times full scale: no mix of sounds reaches it, integers stored as float do
_FEW = 16  # samples per channel
_IMPOSSIBLE = 1e12  # larger than any integer stored as float
_AUDIBLE = 1e-4  # peak of a sound that is more than noise
_FAR = 1e-4  # of the peak; a sound has many samples above it


def impossible_samples(audio: np.ndarray) -> str | None:
    """The reason why `audio (channels, time)` float32 is damaged, or None.

    A sound that is loud throughout (integers stored as float) is accepted; a few samples far above the others are not.
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
    few = _FEW * audio.shape[0]
    if beyond > max(few, audio.size // 10 if peak > _IMPOSSIBLE else 0) or rest <= (0.0 if peak > _IMPOSSIBLE else _AUDIBLE):
        far = size > peak * _FAR  # integers stored as float, and some samples far above them
        beyond, rest = int(np.count_nonzero(far)), float(size[~far].max(initial=0.0))
        if beyond > few or rest == 0.0:
            return None
    wild = f"{beyond} of {audio.size} samples reach {peak:.3g}"
    return f"damaged: {wild} while the rest stays within {rest:.3g} (1 is full scale); export it again"
