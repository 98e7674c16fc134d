"""Is it new? Distances of sounds to the training sounds, in the fixed features of `audio.distance.embedding`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.audio.distance import embedding

COPY = 0.25  # novelty under this is a copy: four times nearer than unheard real sounds are to theirs


@dataclass(frozen=True)
class Nearest:
    """The nearest training sound: its index, and the distance over the unit (see `Sound.novelty`)."""

    index: int
    novelty: float

    @property
    def is_copy(self) -> bool:
        """Too near to be called new."""
        return self.novelty < COPY


def nearest_sounds(audio: list[Tensor], sample_rate: int, *, embeddings: Tensor, unit: float) -> list[Nearest]:
    """audio: `(channels, time)` each; embeddings `(n, features)` of the training sounds; unit: median distance of held-out ones."""
    if not audio:
        return []
    distances = torch.cdist(embedding(audio, sample_rate=sample_rate).float(), embeddings)
    values, indices = distances.min(1)
    return [Nearest(int(i), round(float(v) / unit, 3)) for v, i in zip(values, indices, strict=True)]


def novelty_unit(held_out: Tensor, training: Tensor) -> float:
    """Median distance of held-out embeddings `(m, features)` to their nearest training ones `(n, features)`.

    Without held-out sounds, that of the training sounds to their nearest neighbours.
    """
    distances = torch.cdist(held_out, training) if len(held_out) else torch.cdist(training, training).fill_diagonal_(float("inf"))
    return max(float(distances.min(1).values.median()), 1e-3)
