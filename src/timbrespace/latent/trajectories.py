"""Paths of a whole corpus through a latent space that moves in time, and how to draw new ones with a beginning and an end.

    path (dims, steps)  --POINTS points, dense at the onset-->  (dims, POINTS)  --principal components, whitened-->  (components,)
                                                                 log2 length, standardised ──────────────────────>  one number more

In that flat space a `LatentSpace` lies over the corpus as over whole clips: what is drawn there is a path with its attack, its decay
and its length, because those of the corpus have them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.latent.space import LatentSpace

POINTS = 32  # of a path, whatever its length
COMPONENTS = 32  # of all paths, at most
_KEPT = 0.98  # of the variance of the paths
_FITTED = 4_096  # paths that the components are fitted to, at most
_LEAST_DEVIATION = 0.05  # octaves of length
_LONGEST = 1.5  # times the longest clip
_WANDERING, _KNOTS = 0.5, 5  # of variations: share of the offset that moves, and between how many points


@dataclass(frozen=True)
class Trajectories:
    """mean `(dims, POINTS)`; basis `(components, dims, POINTS)`; scale `(components,)`: deviation along each.

    lengths `(3,)`: mean and deviation of log2 length in samples, most of it. spread `(dims, dims)`: factor of the covariance, within
    a kind, of where sounds lie on the mean over their steps.
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
        """paths: `(dims, steps)` each, lengths in samples -> the trajectories, and the density over their coordinates."""
        points = torch.stack([folded(path.double()) for path in paths])
        mean = points.mean(0)
        centred = (points - mean).flatten(1)
        chosen = centred[torch.linspace(0, len(centred) - 1, min(len(centred), _FITTED)).long()]
        _, sizes, rows = torch.linalg.svd(chosen, full_matrices=False)
        shares = sizes.square().cumsum(0) / sizes.square().sum().clamp_min(1e-20)
        enough = int((shares < _KEPT).sum()) + 1
        count = max(1, min(enough, COMPONENTS, len(chosen) - 1, len(rows)))
        rows = rows[:count] * torch.sign(rows[:count].gather(1, rows[:count].abs().argmax(1, keepdim=True)))
        scale = (sizes[:count] / max(1, len(chosen) - 1) ** 0.5).clamp_min(1e-6)
        log_lengths = torch.tensor([math.log2(max(1, length)) for length in lengths], dtype=torch.float64)
        deviation = log_lengths.std(correction=0).clamp_min(_LEAST_DEVIATION)
        most = log_lengths.max() + math.log2(_LONGEST)
        coordinates = torch.cat([centred @ rows.T / scale, ((log_lengths - log_lengths.mean()) / deviation)[:, None]], 1)
        spread = LatentSpace.fit(torch.stack([path.double().mean(1) for path in paths]), categories, seed=seed).shared
        own = cls(
            mean=mean.float(),
            basis=rows.unflatten(1, mean.shape).float().contiguous(),  # as a file keeps it: strides decide how products are rounded
            scale=scale.float(),
            lengths=torch.stack([log_lengths.mean(), deviation, most]).float(),
            spread=spread,
        )
        return own, LatentSpace.fit(coordinates, categories, seed=seed)

    def path(self, coordinates: Tensor) -> Tensor:
        """Coordinates `(components + 1,)` -> points `(dims, POINTS)`; see `unfolded`."""
        return self.mean + torch.tensordot(coordinates[:-1] * self.scale, self.basis, dims=1)

    def length(self, coordinates: Tensor) -> int:
        """The length in samples that coordinates `(components + 1,)` name."""
        mean, deviation, most = self.lengths.tolist()
        return max(1, round(2 ** min(float(coordinates[-1]) * deviation + mean, most)))

    def around(self, path: Tensor, rng: np.random.Generator, *, amount: float) -> Tensor:
        """A path near `path (dims, steps)`: all of it moved by `amount` times the spread of the corpus, and a slow wander besides."""
        noise = torch.from_numpy(rng.standard_normal((len(path), 1 + _KNOTS)).astype(np.float32))
        moved = self.spread @ noise
        return path + amount * (moved[:, :1] + _WANDERING * at(moved[:, 1:], torch.linspace(0, 1, path.shape[1])))


def folded(path: Tensor) -> Tensor:
    """A path `(dims, steps)` as `(dims, POINTS)`, point k around the share (k / (POINTS - 1))² of its time: onsets are looked at closely.

    Each point is a mean over the steps up to its neighbours, nearer ones weighing more.
    """
    steps = path.shape[1]
    centres = torch.linspace(0, 1, POINTS, dtype=path.dtype).square() * (steps - 1)
    reach = torch.cat([centres.diff(), centres.new_zeros(1)]).clamp_min(1)
    before = torch.cat([centres.new_zeros(1), centres.diff()]).clamp_min(1)
    off = torch.arange(steps, dtype=path.dtype)[:, None] - centres
    weights = (1 - torch.where(off > 0, off / reach, -off / before)).clamp_min(0)
    return path @ (weights / weights.sum(0))


def unfolded(points: Tensor, places: Tensor) -> Tensor:
    """Points `(dims, POINTS)` of a folded path at the shares `places (steps,)` of its time, 0 to 1: `(dims, steps)`."""
    return at(points, places.clamp_min(0).sqrt())


def at(path: Tensor, places: Tensor) -> Tensor:
    """A path `(dims, points)` at the shares `places (steps,)` of its way, 0 to 1, linear between its points: `(dims, steps)`."""
    place = places.clamp(0, 1) * (path.shape[1] - 1)
    first = place.floor().long().clamp_max(max(0, path.shape[1] - 2))
    share = (place - first).to(path)
    return path[:, first] * (1 - share) + path[:, (first + 1).clamp_max(path.shape[1] - 1)] * share


def places(own: int, steps: int, *, kept: int = 0) -> Tensor:
    """Where in a path of `own` steps each of `steps` steps lies when it is made to last as long: shares of its time `(steps,)`.

    kept: steps from the onset on that keep their speed, so that a longer sound has no slower attack; at most a quarter of either.
    """
    if steps == 1 or own == 1:
        return torch.zeros(steps)
    kept = min(kept, own // 4, steps // 4)
    time = torch.arange(steps, dtype=torch.float64)
    later = kept + (time - kept) * ((own - 1 - kept) / (steps - 1 - kept))
    return (torch.where(time <= kept, time, later) / (own - 1)).float()


def retimed(path: Tensor, steps: int, *, kept: int = 0) -> Tensor:
    """A path `(dims, own steps)` made to last `steps` steps; itself where it does. kept: see `places`."""
    return path if path.shape[1] == steps else at(path, places(path.shape[1], steps, kept=kept))
