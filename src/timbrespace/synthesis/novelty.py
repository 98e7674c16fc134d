"""Novelty: distances of sounds to the training sounds, in the fixed features of `audio.embedding.embedding`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.audio.embedding import embedding

COPY = 0.25  # a sound of less novelty is a copy: four times nearer to a training sound than held-out sounds are
COPY_DB = 1.0  # a sound nearer than this to a training sound is a copy where novelty has no unit
REPEAT_DB = 0.1  # nearer embeddings are of the same sound: more than rounding to half precision or 16 bits moves them
# A given sound above it is of a kind never learned: held-out synthetic drums reach 2.35, kicks for an instrument of snares have 3.3 to 5.3.
UNLIKE = 2.5
NO_UNIT = "too few different sounds: none is held out that the training sounds do not repeat"
_BLOCK = 512  # points compared with all earlier ones at a time


@dataclass(frozen=True)
class Nearest:
    """The nearest training sound: its index, and the distance to it in dB and in novelty units (see `Sound.novelty`).

    novelty: None where the corpus gives no unit.
    """

    index: int
    distance: float
    novelty: float | None

    @property
    def is_copy(self) -> bool:
        """Whether the sound is too near to a training sound to be new."""
        return self.distance < COPY_DB if self.novelty is None else self.novelty < COPY

    @property
    def is_unlike(self) -> bool:
        """Whether the sound is too far from every training sound to be of a kind that the instrument learned, and not within 2.5 dB."""
        return self.novelty is not None and self.novelty > UNLIKE and self.distance > UNLIKE


def nearest_sounds(audio: list[Tensor], sample_rate: int, *, embeddings: Tensor, unit: float | None) -> list[Nearest]:
    """Returns the nearest training sound of each sound.

    audio: `(channels, time)` each. embeddings `(n, features)`: of the training sounds. unit: see `novelty_unit`.
    """
    if not audio:
        return []
    distances = torch.cdist(embedding(audio, sample_rate=sample_rate).float(), embeddings)
    values, indices = distances.min(1)
    return [Nearest(int(i), float(v), None if unit is None else round(float(v) / unit, 3)) for v, i in zip(values, indices, strict=True)]


def novelty_unit(held_out: Tensor, training: Tensor) -> float | None:
    """Returns the median distance of held-out embeddings `(m, features)` to their nearest training ones `(n, features)`, in dB.

    Sounds that repeat do not count: a held-out sound within 0.1 dB of a training sound or of an earlier held-out sound. None where

    - no held-out sound is left;
    - all training sounds are within 1 dB of the first one;
    - the unit is under 1 dB and under a quarter of the median distance between training sounds that differ by 1 dB or more: the
      held-out sounds would be copies themselves.
    """
    if len(training) > 1 and bool((_exact_distances(training[:1], training) < COPY_DB).all()):
        return None
    held_out = held_out[_first_of_each(held_out, REPEAT_DB)]
    if not len(held_out):
        return None
    distances = torch.cdist(held_out, training).min(1).values
    distances = distances[_exact_distances(held_out, training).min(1).values >= REPEAT_DB]
    if not len(distances):
        return None
    unit = float(distances.median())
    if unit < COPY_DB:
        different = training[_first_of_each(training, COPY_DB)]
        if len(different) > 1 and unit < COPY * float(_to_neighbours(different).median()):
            return None
    return unit


def repeats_of(points: Tensor, training: Tensor) -> int:
    """Returns how many embeddings `(m, features)` are within 0.1 dB of a training embedding `(n, features)`."""
    return int((_exact_distances(points, training).min(1).values < REPEAT_DB).sum()) if len(points) and len(training) else 0


def count_different(points: Tensor) -> int:
    """Returns how many of the embeddings `(n, features)` are not within 0.1 dB of an earlier one."""
    return len(_first_of_each(points, REPEAT_DB))


def _exact_distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances `(n, m)` without matrix products, whose rounding moves equal points apart."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _to_neighbours(points: Tensor) -> Tensor:
    """Distance of every point to its nearest other point: `(n, features) -> (n,)`, n ≥ 2."""
    return torch.cdist(points, points).fill_diagonal_(float("inf")).min(1).values


def _first_of_each(points: Tensor, threshold: float) -> Tensor:
    """Indices of the points `(n, features)` that are not nearer than `threshold` to an earlier one."""
    kept = torch.ones(len(points), dtype=torch.bool)
    for start in range(0, len(points), _BLOCK):  # bounded memory for large corpora
        rows = points[start : start + _BLOCK]
        near = _exact_distances(rows, points[: start + len(rows)]) < threshold
        kept[start : start + len(rows)] = ~near.tril(start - 1).any(1)
    return kept.nonzero()[:, 0]
