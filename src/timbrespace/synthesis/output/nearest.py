"""The nearest training sound of a sound, and how new the sound is by it; see `novelty`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COPY = 0.25  # a sound of less novelty is a copy: four times nearer to a training sound than held-out sounds are
COPY_DB = 1.0  # a sound nearer than this to a training sound is a copy where novelty has no unit
REPEAT_DB = 0.1  # nearer embeddings are of the same sound: more than rounding to half precision or 16 bits moves them
# A given sound above it is of a kind never learned: held-out synthetic drums reach 2.35, kicks for an instrument of snares have 3.3 to 5.3.
UNLIKE = 2.5
STRIPPED = "the instrument was stripped of its training sounds"
NO_UNIT = "too few different sounds: none is held out that the training sounds do not repeat"


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


def nearest_to(point: np.ndarray, embeddings: np.ndarray, unit: float | None) -> Nearest:
    """Returns the nearest of embeddings `(n, features)` to that of a sound `(features,)`. unit: see `novelty.novelty_unit`."""
    squared = np.square(embeddings - point).sum(axis=1)
    index = int(squared.argmin())
    distance = float(np.sqrt(squared[index]))
    return Nearest(index, distance, None if unit is None else round(distance / unit, 3))
