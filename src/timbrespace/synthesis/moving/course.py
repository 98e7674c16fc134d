"""Where a moving sound is on its path at every frame: at the first key during the attack, at the last key at the end, between them even.

key   last |                              .-----
           |                     .   `
           |            .  `
     first |------.`
           +--------------------------------------> frame
            attack                        end
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_AUDIBLE_DB = 60.0  # under the loudest cell: softer changes do not count
_LOUD_DB, _LEAST_WEIGHT = 40.0, 0.1  # under the loudest cell of a frame: cells of less weight, down to a tenth
_FASTEST = 8.0  # times the mean speed
_GLIDE = 0.01  # semitones from key to key; under it the pitch stays
_LEAST_CHANGE = 0.25  # of the mean change, that counts at places where nothing changes


def steady(frames: int, keys: int, *, start: int, end: int) -> Tensor:
    """Returns places among the keys `(frames,)`, 0 to keys - 1: at the first until frame `start`, at the last from frame `end` on."""
    time = torch.arange(frames, dtype=torch.float64)
    return ((time - start) / max(end - start, 1)).clamp(0, 1) * (keys - 1)


def evened(levels: Tensor, *, start: int, end: int, pitches: Tensor | None = None) -> Tensor:
    """Returns places among the keys `(frames,)` as `steady`, at speeds for which the features change equally from frame to frame.

    levels: of the keys on the time axis of the result, dB, `(keys, parts, bands, frames)`. At no frame is it more than eight times
    as fast as at even speed. pitches: of the keys in semitones, `(keys,)`, whose change counts as much as that of the features.
    """
    keys, frames = levels.shape[0], levels.shape[-1]
    if end - start < 2 or keys < 2:
        return steady(frames, keys, start=start, end=end)
    audible = levels[..., start:end].clamp_min(float(levels.max()) - _AUDIBLE_DB).flatten(1, 2)
    louder = torch.maximum(audible[1:], audible[:-1])
    weight = (1 + (louder - louder.amax(1, keepdim=True)) / _LOUD_DB).clamp_min(_LEAST_WEIGHT)
    change = ((weight * (audible[1:] - audible[:-1]).square()).sum(1) / weight.sum(1)).sqrt().double().numpy()
    change = np.stack([_smooth(row, max(1, (end - start) // 16)) for row in change])
    if not change.mean() > 0:
        return steady(frames, keys, start=start, end=end)
    if pitches is not None and (glide := np.abs(np.diff(pitches.numpy()))).mean() > _GLIDE:
        change = change / change.mean() + (glide / glide.mean())[:, None]
    change = np.maximum(change, _LEAST_CHANGE * change.mean())
    most = _FASTEST * (keys - 1) / (end - start)
    low, high = 0.0, 2 * float(change.max()) * (keys - 1)
    for _ in range(50):  # the change a frame with which the last key is reached at the end
        middle = (low + high) / 2
        low, high = (middle, high) if _walk(change, middle, most)[-1] < keys - 1 else (low, middle)
    places = torch.full((frames,), float(keys - 1), dtype=torch.float64)
    places[:start] = 0.0
    places[start:end] = torch.from_numpy(_walk(change, high, most)[:-1].clip(0, keys - 1))
    return places


def _walk(change: np.ndarray, amount: float, most: float) -> np.ndarray:
    """Places `(frames + 1,)` reached with a change of `amount` a frame; change `(keys - 1, frames)`: dB a key at each frame."""
    last, places = len(change), np.zeros(change.shape[1] + 1)
    for frame in range(change.shape[1]):
        place, left = places[frame], amount
        while left > 0 and place < last:
            segment = int(place)
            needed = (segment + 1 - place) * change[segment, frame]
            place = segment + 1 if needed <= left else place + left / change[segment, frame]
            left -= needed
        places[frame + 1] = min(place, places[frame] + most, last)
    return places


def _smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Means over 2 * reach + 1 frames, of the same length; the ends are repeated."""
    padded = np.concatenate([[0.0], np.cumsum(np.pad(values, reach, mode="edge"))])
    return (padded[2 * reach + 1 :] - padded[: -2 * reach - 1]) / (2 * reach + 1)
