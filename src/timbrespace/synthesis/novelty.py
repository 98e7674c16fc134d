"""Novelty: distances of sounds to the training sounds, in the fixed features of `audio.embedding.embedding`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.audio.embedding import embedding

COPY = 0.25  # a sound of less novelty is a copy: four times nearer to a training sound than held-out sounds are


@dataclass(frozen=True)
class Nearest:
    """The nearest training sound: its index, and the distance to it in novelty units (see `Sound.novelty`)."""

    index: int
    novelty: float

    @property
    def is_copy(self) -> bool:
        """Whether the sound is too near to a training sound to be new."""
        return self.novelty < COPY


def nearest_sounds(audio: list[Tensor], sample_rate: int, *, embeddings: Tensor, unit: float) -> list[Nearest]:
    """Returns the nearest training sound of each sound.

    audio: `(channels, time)` each. embeddings `(n, features)`: of the training sounds. unit: see `novelty_unit`.
    """
    if not audio:
        return []
    distances = torch.cdist(embedding(audio, sample_rate=sample_rate).float(), embeddings)
    values, indices = distances.min(1)
    return [Nearest(int(i), round(float(v) / unit, 3)) for v, i in zip(values, indices, strict=True)]


def novelty_unit(held_out: Tensor, training: Tensor) -> float:
    """Returns the median distance of held-out embeddings `(m, features)` to their nearest training ones `(n, features)`.

    Without held-out sounds: that of the training sounds to their nearest neighbours.
    """
    distances = torch.cdist(held_out, training) if len(held_out) else torch.cdist(training, training).fill_diagonal_(float("inf"))
    return max(float(distances.min(1).values.median()), 1e-3)
