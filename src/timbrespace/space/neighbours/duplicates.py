"""Duplicates: sets of sounds that are the same, or nearly the same, whatever their level, format and silence around them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.corpus.grouping import connected_components
from timbrespace.space.neighbours.sounds import SoundSet
from timbrespace.synthesis.novelty import COPY_DB, REPEAT_DB

MOST_DB = 10.0
_BLOCK = 2**22  # distances at a time


@dataclass(frozen=True)
class Duplicates:
    """Sounds that are nearly the same: their rows and names, in the order of the set.

    distance: the largest distance of one of them to the nearest other one, in dB, see `audio.embedding`.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    distance: float

    @property
    def same(self) -> bool:
        """Whether they are the same sound, up to level, rounding and silence."""
        return self.distance < REPEAT_DB


def duplicates(sounds: SoundSet, *, within: float = COPY_DB) -> list[Duplicates]:
    """Returns sets of sounds; each sound is within `within` dB of another one of its set, the nearest sets first. Raises ConfigError.

    Distances are those of the embedding, which does not depend on the level or on silence around a sound.
    """
    if not 0 < within <= MOST_DB:
        raise ConfigError(f"within is {within!r} dB, allowed is over 0 to {MOST_DB:g} dB")
    labels, nearest = _sets(sounds.embeddings, within)
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels.tolist()):
        members[label].append(row)
    found = [
        Duplicates(tuple(rows), tuple(sounds.names[row] for row in rows), max(float(nearest[row]) for row in rows))
        for rows in members.values()
        if len(rows) > 1
    ]
    return sorted(found, key=lambda one: (one.distance >= REPEAT_DB, one.distance, one.rows))


def _sets(embeddings: Tensor, within: float) -> tuple[np.ndarray, Tensor]:
    """The set of each sound `(n,)`, and the distance to its nearest other sound `(n,)`; memory does not grow with the number of pairs."""
    count = len(embeddings)
    labels, nearest = np.arange(count), torch.full((count,), torch.inf)
    size = max(1, _BLOCK // max(1, count))
    for start in range(0, count, size):
        block = torch.cdist(embeddings[start : start + size], embeddings, compute_mode="donot_use_mm_for_euclid_dist")
        block[torch.arange(len(block)), torch.arange(start, start + len(block))] = torch.inf
        nearest[start : start + size] = block.min(1).values if count > 1 else torch.inf
        rows, columns = (block < within).nonzero(as_tuple=True)
        pairs = np.unique(np.stack([labels[rows.numpy() + start], labels[columns.numpy()]], 1), axis=0)
        labels = connected_components(count, pairs)[labels]
    return labels, nearest
