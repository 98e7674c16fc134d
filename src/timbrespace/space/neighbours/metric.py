"""The distance of two sounds: embedding, latent, and what tells the categories of the corpus apart, each in the corpus's own unit.

Measured on drums and notes (docs/benchmarks/space.md): each of the three finds neighbours that the others miss.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.space.neighbours.sounds import SoundSet

FEWEST_OF_CATEGORY = 3  # sounds of a category that is learned
BY = ("all", "sound", "latent")
_CATEGORY_WEIGHT = 2.0  # of the directions that tell categories apart, against embedding and latent
_PAIRED = 1_000  # sounds whose pairs give the units
_SEGMENTS, _COEFFICIENTS = 8, 8  # of `audio.embedding`
_BLOCK = 2**22  # distances at a time


@dataclass(frozen=True)
class Metric:
    """A Euclidean distance between sounds: 1 is the median distance of two training sounds, 0 the same sound.

    centre, spread `(features,)`: of embedding and latent together, for the categories' directions. embedding_unit, latent_unit: median
    distances of two training sounds. directions `(features, k)`: of the linear discriminant analysis of the categories, weighted by what
    they tell; None with fewer than two categories of three sounds. direction_unit: as the other units. unit: of the whole.
    """

    centre: Tensor
    spread: Tensor
    embedding_unit: float
    latent_unit: float
    directions: Tensor | None
    direction_unit: float
    unit: float
    by: str = "all"

    @classmethod
    def fit(cls, sounds: SoundSet, *, by: str = "all") -> Metric:
        """Returns the distance for the corpus of `sounds`, one sound or more. by: see `BY`: all, the embedding, or the latent alone.

        Raises ConfigError.
        """
        if by not in BY:
            raise ConfigError(f"by is {by!r}, allowed are {', '.join(BY)}")
        features = features_of(sounds)
        centre, spread = features.mean(0), features.std(0, correction=0)
        spread = torch.where(spread > 1e-6 * spread.max(), spread, torch.ones(()).double())
        directions = _directions((features - centre) / spread, sounds.categories) if by == "all" else None
        draft = cls(centre, spread, 1.0, 1.0, directions, 1.0, 1.0, by)
        units = [_typical(block) for block in draft._blocks(sounds)]
        scaled = replace(draft, embedding_unit=units[0], latent_unit=units[1], direction_unit=units[2] if len(units) > 2 else 1.0)
        return replace(scaled, unit=_typical(scaled.points(sounds)))

    def points(self, sounds: SoundSet) -> Tensor:
        """Returns points `(n, features)` in double precision whose Euclidean distances are those of the sounds."""
        embedding, latent, *others = self._blocks(sounds)
        blocks = [embedding / self.embedding_unit, latent / self.latent_unit]
        if self.by != "all":
            blocks = blocks[:1] if self.by == "sound" else blocks[1:]
        blocks += [_CATEGORY_WEIGHT * other / self.direction_unit for other in others]
        return torch.cat(blocks, 1) / self.unit

    def _blocks(self, sounds: SoundSet) -> list[Tensor]:
        blocks = [sounds.embeddings.double(), sounds.latents.double()]
        if self.directions is not None:
            blocks.append((features_of(sounds) - self.centre) / self.spread @ self.directions)
        return blocks


def features_of(sounds: SoundSet) -> Tensor:
    """Returns embeddings and latents side by side, `(n, features)` in double precision."""
    return torch.cat([sounds.embeddings, sounds.latents], 1).double()


def moving_features_of(sounds: SoundSet) -> Tensor:
    """Returns embeddings, and how far each of their 8 cepstral coefficients moves over the 8 segments of time (deviation): `(n, 76)`."""
    points = sounds.embeddings.double()
    segments = points[:, : _SEGMENTS * _COEFFICIENTS].unflatten(1, (_SEGMENTS, _COEFFICIENTS))
    return torch.cat([points, segments.std(1, correction=0)], 1)


def learnable(categories: tuple[str | None, ...]) -> list[str]:
    """Returns the categories, sorted, that at least three of the sounds have."""
    counts = Counter(category for category in categories if category is not None)
    return sorted(category for category, count in counts.items() if count >= FEWEST_OF_CATEGORY)


def discriminant() -> Any:
    """Returns a linear discriminant analysis with Ledoit and Wolf's (2004) shrinkage of the covariance within categories, not fitted."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")


def nearest(points: Tensor, others: Tensor, count: int, *, same: bool = False) -> tuple[Tensor, Tensor]:
    """Returns distances and indices `(n, k)` of the k nearest of `others (m, features)` of points `(n, features)`, nearest first.

    k: `count`, or as many as there are. same: points and others are the same sounds, and none is its own neighbour.
    """
    k = max(0, min(count, len(others) - same))
    distances, indices = torch.zeros(len(points), k, dtype=points.dtype), torch.zeros(len(points), k, dtype=torch.int64)
    size = max(1, _BLOCK // max(1, len(others)))
    for start in range(0, len(points), size):
        block = torch.cdist(points[start : start + size], others, compute_mode="donot_use_mm_for_euclid_dist")
        if same:
            block[torch.arange(len(block)), torch.arange(start, start + len(block))] = torch.inf
        # Stable: of sounds that are equally near the first one comes first, on every machine.
        order = block.sort(dim=1, stable=True)
        distances[start : start + size], indices[start : start + size] = order.values[:, :k], order.indices[:, :k]
    return distances, indices


def _directions(features: Tensor, categories: tuple[str | None, ...]) -> Tensor | None:
    """Directions `(features, k)` that tell categories apart: their weight is the root of the share of variance between categories."""
    known = learnable(categories)
    rows = [row for row, category in enumerate(categories) if category in known]
    if len(known) < 2:
        return None
    labels = np.array([categories[row] for row in rows])
    points = features[rows].numpy()
    fitted = discriminant().fit(points, labels)
    along = fitted.scalings_[:, : len(known) - 1]
    along = along / np.sqrt(np.mean([np.var(points[labels == one] @ along, axis=0) for one in known], axis=0)).clip(1e-9)
    shares = np.array([(labels == one).mean() for one in known])
    means = np.stack([(points[labels == one] @ along).mean(0) for one in known])
    between = (shares[:, None] * (means - shares @ means) ** 2).sum(0)
    return torch.from_numpy(along * np.sqrt(between / (1 + between)))


def _typical(points: Tensor) -> float:
    """Median distance of two of the points `(n, features)` that differ; 1 where none do."""
    some = points[torch.linspace(0, len(points) - 1, min(len(points), _PAIRED)).long()]
    distances = torch.pdist(some)
    distances = distances[distances > 0]
    return float(distances.median()) if len(distances) else 1.0
