"""Onsets of recordings of any length: where a block is much louder than those before it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d

from timbrespace.audio import time_stretch
from timbrespace.synthesis.transfer.feed import Feed

_AROUND_SECONDS = 10.0  # in which an onset is compared with the loudest block
_BLOCKS = 1024  # read at once


def onsets(feed: Feed, sample_rate: int) -> list[int]:
    """Returns the samples at which onsets after the first one start; see `time_stretch.onset_blocks`. Reads the recording to its end."""
    block = time_stretch.onset_block(sample_rate)
    count = feed.samples // block
    levels = np.full(count, -300.0)
    for first in range(0, count, _BLOCKS):
        last = min(count, first + _BLOCKS)
        piece = feed.read(first * block - 1 if first else 0, last * block)
        piece = piece if first else np.concatenate([piece[:, :1], piece], axis=1)
        levels[first:last] = time_stretch.edge_levels(piece.T, block)
    if not count:
        return []
    around = maximum_filter1d(levels, max(1, round(_AROUND_SECONDS * sample_rate / block)))
    return [int(k) * block for k in time_stretch.onset_blocks(levels, around)]
