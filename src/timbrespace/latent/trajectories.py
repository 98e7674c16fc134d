"""Trajectories of a corpus through a time-varying latent space, and a density over them from which new ones are drawn.

    path (dims, steps)  --resampled to POINTS points, dense at the onset-->  (dims, POINTS)  --PCA, whitened-->  (components,)
                                                                             log2 length, standardised ------->  one number more

A path becomes one point of fixed size: its coordinates. A `LatentSpace` over the coordinates describes the corpus as it does for
whole clips, so that a path drawn from it has an attack, a decay and a length like those of the corpus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.latent.space import LatentSpace
from timbrespace.noise import Noise

POINTS = 32  # of a resampled path, whatever its number of steps
COMPONENTS = 32  # principal components, at most
_VARIANCE_KEPT = 0.98
_MOST_FITTED = 4_096  # paths that the components are fitted to
_LEAST_DEVIATION = 0.05  # octaves of length
_LONGEST = 1.5  # times the longest clip
_WANDERING, _KNOTS = 0.5, 5  # of variations: share of the offset that changes over time, and its number of knots


@dataclass(frozen=True)
class Trajectories:
    """Principal components of resampled paths, and statistics of their lengths. Tensors alone, so that a file stores them as they are.

    mean `(dims, POINTS)`; basis `(components, dims, POINTS)`; scale `(components,)`: standard deviation along each component.
    lengths `(3,)`: mean, standard deviation and maximum of log2 length in samples. spread `(dims, dims)`: Cholesky factor of the
    covariance, within categories, of the latents' means over their steps.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    lengths: Tensor
    spread: Tensor

    @classmethod
    def fit(
        cls, paths: Sequence[Tensor], lengths: Sequence[int], categories: list[str | None], *, seed: int = 0
    ) -> tuple[Trajectories, LatentSpace]:
        """Returns the trajectories of a corpus and the density over their coordinates.

        paths: latents `(dims, steps)`, one a clip; lengths: in samples; categories: one a clip.
        """
        points = torch.zeros(len(paths), len(paths[0]), POINTS, dtype=torch.float64)
        for row, path in enumerate(paths):
            points[row] = resample_path(path.double())
        mean = points.mean(0)
        centred = points.sub_(mean).flatten(1)
        fitted = centred[torch.linspace(0, len(centred) - 1, min(len(centred), _MOST_FITTED)).long()]
        _, singular, rows = torch.linalg.svd(fitted, full_matrices=False)
        explained = singular.square().cumsum(0) / singular.square().sum().clamp_min(1e-20)
        count = max(1, min(int((explained < _VARIANCE_KEPT).sum()) + 1, COMPONENTS, len(fitted) - 1, len(rows)))
        rows = rows[:count] * torch.sign(rows[:count].gather(1, rows[:count].abs().argmax(1, keepdim=True)))
        scale = (singular[:count] / max(1, len(fitted) - 1) ** 0.5).clamp_min(1e-6)
        log_lengths = torch.tensor([math.log2(max(1, length)) for length in lengths], dtype=torch.float64)
        deviation = log_lengths.std(correction=0).clamp_min(_LEAST_DEVIATION)
        longest = log_lengths.max() + math.log2(_LONGEST)
        coordinates = torch.cat([centred @ rows.T / scale, ((log_lengths - log_lengths.mean()) / deviation)[:, None]], 1)
        spread = LatentSpace.fit(torch.stack([path.double().mean(1) for path in paths]), categories, seed=seed).shared
        trajectories = cls(
            mean=mean.float(),
            basis=rows.unflatten(1, mean.shape).float().contiguous(),  # as a file stores it: strides decide how products are rounded
            scale=scale.float(),
            lengths=torch.stack([log_lengths.mean(), deviation, longest]).float(),
            spread=spread,
        )
        return trajectories, LatentSpace.fit(coordinates, categories, seed=seed)

    def path(self, coordinates: Tensor) -> Tensor:
        """Returns the resampled path `(dims, POINTS)` of coordinates `(components + 1,)`; see `restore_path`."""
        return self.mean + torch.tensordot(coordinates[:-1] * self.scale, self.basis, dims=1)

    def length(self, coordinates: Tensor) -> int:
        """Returns the length in samples of coordinates `(components + 1,)`, at most 1.5 times that of the longest clip."""
        mean, deviation, longest = self.lengths.tolist()
        return max(1, round(2 ** min(float(coordinates[-1]) * deviation + mean, longest)))

    def around(self, path: Tensor, noise: Noise, *, amount: float) -> Tensor:
        """Returns a path near `path (dims, steps)`: offset by `amount` times the spread of the corpus, partly changing over time."""
        drawn = torch.from_numpy(noise.normal(len(path), 1 + _KNOTS).astype(np.float32))
        offset = self.spread @ drawn
        return path + amount * (offset[:, :1] + _WANDERING * interpolate_path(offset[:, 1:], torch.linspace(0, 1, path.shape[1])))


def resample_path(path: Tensor) -> Tensor:
    """Returns `(dims, POINTS)` of a path `(dims, steps)`. Point k is at the relative time (k / (POINTS - 1))²: dense at the onset.

    Each point is a weighted mean over the steps between its neighbours, with triangular weights.
    """
    steps = path.shape[1]
    centres = torch.linspace(0, 1, POINTS, dtype=path.dtype).square() * (steps - 1)
    after = torch.cat([centres.diff(), centres.new_zeros(1)]).clamp_min(1)
    before = torch.cat([centres.new_zeros(1), centres.diff()]).clamp_min(1)
    distance = torch.arange(steps, dtype=path.dtype)[:, None] - centres
    weights = (1 - torch.where(distance > 0, distance / after, -distance / before)).clamp_min(0)
    return path @ (weights / weights.sum(0))


def restore_path(points: Tensor, positions: Tensor) -> Tensor:
    """Returns `(dims, steps)`, the inverse of `resample_path`: points `(dims, POINTS)` at relative times `positions (steps,)`, 0 to 1."""
    return interpolate_path(points, positions.clamp_min(0).sqrt())


def interpolate_path(path: Tensor, positions: Tensor) -> Tensor:
    """Returns `(dims, steps)`: a path `(dims, points)` at relative times `positions (steps,)`, 0 to 1, by linear interpolation."""
    place = positions.clamp(0, 1) * (path.shape[1] - 1)
    first = place.floor().long().clamp_max(max(0, path.shape[1] - 2))
    share = (place - first).to(path)
    return path[:, first] * (1 - share) + path[:, (first + 1).clamp_max(path.shape[1] - 1)] * share


def stretch_positions(steps: int, new_steps: int, *, attack: int = 0) -> Tensor:
    """Returns relative times `(new_steps,)` at which to read a path of `steps` steps that is stretched to `new_steps`.

    attack: number of first steps that keep their speed, so that a longer sound has no slower attack; at most a quarter of either path.
    """
    if new_steps == 1 or steps == 1:
        return torch.zeros(new_steps)
    attack = min(attack, steps // 4, new_steps // 4)
    time = torch.arange(new_steps, dtype=torch.float64)
    stretched = attack + (time - attack) * ((steps - 1 - attack) / (new_steps - 1 - attack))
    return (torch.where(time <= attack, time, stretched) / (steps - 1)).float()


def stretch_path(path: Tensor, new_steps: int, *, attack: int = 0) -> Tensor:
    """Returns a path `(dims, steps)` stretched to `(dims, new_steps)`; itself where it has them. attack: see `stretch_positions`."""
    steps = path.shape[1]
    return path if steps == new_steps else interpolate_path(path, stretch_positions(steps, new_steps, attack=attack))
