"""The coordinates in which controls move a latent: steps of length one are equally likely in the corpus, in every direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.sequences import SECONDS, fit_path, trajectories_of


class Point(NamedTuple):
    """A latent `(dims,)`, or a path `(dims, steps)` with its length in samples."""

    z: Tensor
    length: int | None = None


@dataclass(frozen=True)
class Coordinates:
    """Directions `(rank, dims)`: a step `v (rank,)` moves a latent by `v @ directions`; a path moves as a whole.

    The length of a step is its Mahalanobis distance under the covariance of the corpus within components of its density, given the
    conditions. These do not move, apart from numbers that are measured from audio. octaves: of length a unit of the last coordinate, for
    instruments with a time-varying latent, whose paths are stretched; 0 for whole clips. apart: how far sounds of a kind are apart
    against sounds of a component, at least 1: paths of a corpus without kinds fall into many small components.
    """

    contents: InstrumentContents
    directions: Tensor
    octaves: float
    apart: float = 1.0

    @classmethod
    def of(cls, contents: InstrumentContents) -> Coordinates:
        """Returns the coordinates of an instrument."""
        if not contents.model.time_varying:
            return cls(contents, _directions(contents), 0.0)
        trajectories = trajectories_of(contents)
        shifts = trajectories.spread.T.clone()
        if known := contents.model.conditioning.size:
            shifts[:, -known:] = 0.0
        apart = _apart(trajectories, contents.space)
        return cls(contents, torch.cat([shifts, torch.zeros(1, shifts.shape[1])]), float(trajectories.lengths[1]), apart)

    @property
    def rank(self) -> int:
        """The number of coordinates."""
        return len(self.directions)

    def move(self, point: Point, step: Tensor) -> Point:
        """Returns a point moved by a step `(rank,)`, to the nearest latent that the decoder has learned."""
        shift = step @ self.directions
        if point.length is None:
            return Point(self.contents.model.project((point.z + shift)[None])[0])
        least, most = (seconds * self.contents.sample_rate for seconds in (SECONDS.low, SECONDS.high))
        length = round(min(max(point.length * 2 ** (self.octaves * float(step[-1])), least), most))
        path = self.contents.model.project((point.z + shift[:, None])[None])[0]
        path, length = fit_path(self.contents, path, max(1, length))
        return Point(path.contiguous(), length)  # as a recipe stores it: strides decide how products are rounded

    def move_all(self, points: Sequence[Point], steps: Tensor) -> list[Point]:
        """Returns points moved by steps `(points, rank)`."""
        return [self.move(point, step) for point, step in zip(points, steps, strict=True)]


def _apart(trajectories: Trajectories, space: LatentSpace) -> float:
    """How much the means of paths vary within a category against within a component: a ratio of standard deviations, at least 1."""
    weights = space.weights.double()
    inside = torch.einsum("k,kij,klj->il", weights, space.factors.double(), space.factors.double())
    between = torch.zeros_like(inside)
    for label in dict.fromkeys(space.labels):  # in this order: that of a set differs from run to run
        rows = torch.tensor([one == label for one in space.labels])
        share = weights[rows] / weights[rows].sum().clamp_min(1e-12)
        away = space.means[rows].double() - share @ space.means[rows].double()
        between += weights[rows].sum() * (away.T * share) @ away
    to_means = (trajectories.basis * trajectories.scale[:, None, None]).mean(2).T.double()  # (dims, components)
    within, whole = (to_means @ one[:-1, :-1] @ to_means.T for one in (inside, inside + between))
    return max(1.0, float((whole.trace() / within.trace().clamp_min(1e-12)).sqrt()))


def _directions(contents: InstrumentContents) -> Tensor:
    """Directions `(rank, dims)` of a model of whole clips."""
    model, space = contents.model, contents.space
    known = model.conditioning.size
    measured = model.conditioning.measured_entries
    fixed = [model.dims + place for place in range(-known, 0) if place not in measured]
    if space.axes is not None:
        directions = space.shared.T @ space.axes
        directions[:, fixed] = 0.0
        return directions
    free = [place for place in range(model.dims) if place not in fixed]
    covariance = space.shared.double() @ space.shared.double().T
    precision = torch.linalg.inv(covariance)[free][:, free]  # of the free entries, given the fixed ones
    factor = torch.linalg.cholesky(torch.linalg.inv(precision))
    directions = torch.zeros(len(free), model.dims)
    directions[:, free] = factor.T.float()
    return directions
