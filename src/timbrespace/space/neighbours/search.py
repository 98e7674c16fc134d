"""Similarity search: the sounds of a corpus or a folder that are most like a given one, and how they differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from timbrespace.contracts import ConfigError
from timbrespace.space.neighbours.metric import Metric, nearest
from timbrespace.space.neighbours.sounds import SoundSet
from timbrespace.space.neighbours.words import differences, spreads

MOST = 10_000  # neighbours of a sound


@dataclass(frozen=True)
class Match:
    """A sound that is like a given one.

    name: as in the corpus, or relative to the folder that was searched. distance: 0 the same sound, 1 the median distance of two training
    sounds. index: in what was searched. category: None where it is not known. path: its file, where known. differences: words for what
    it is against the given sound, "darker", the clearest first.
    """

    name: str
    distance: float
    index: int
    category: str | None = None
    path: Path | None = None
    differences: tuple[str, ...] = ()

    @property
    def similarity(self) -> float:
        """100 for the same sound, 0 for sounds as unlike as two of the corpus drawn at random, or more unlike."""
        return round(100 * max(0.0, 1 - self.distance), 1)


def search(
    metric: Metric, given: SoundSet, among: SoundSet, count: int = 10, *, category: str | None = None, same: bool = False
) -> list[list[Match]]:
    """Returns the `count` nearest of `among` for each of the given sounds, nearest first.

    category: search only sounds of it. same: given and among are the same set, and no sound is found for itself. Differences are given
    where the descriptors of both are measured. Raises ConfigError.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise ConfigError(f"the number of sounds to find is {count!r}, allowed is 1 to {MOST}")
    rows = list(range(len(among)))
    if category is not None:
        rows = [row for row in rows if among.categories[row] == category]
        if not rows:
            known = sorted({one for one in among.categories if one is not None})
            raise ConfigError(f"category is {category!r}, the sounds that are searched have {', '.join(known) or 'none'}")
    points = metric.points(among)
    # One more, because with a category a sound may be its own neighbour.
    distances, indices = nearest(metric.points(given), points[torch.tensor(rows, dtype=torch.int64)], count + same)
    spread = spreads(among.descriptors)
    out: list[list[Match]] = []
    for one, (near, places) in enumerate(zip(distances.tolist(), indices.tolist(), strict=True)):
        found = [(distance, rows[place]) for distance, place in zip(near, places, strict=True) if not (same and rows[place] == one)]
        out.append(
            [
                Match(
                    among.names[row],
                    distance,
                    row,
                    among.categories[row],
                    among.paths[row],
                    tuple(differences(among.descriptors[row], given.descriptors[one], spread)),
                )
                for distance, row in found[:count]
            ]
        )
    return out
