"""From a point of the map to a latent: for a time-varying latent, the likeliest path whose mean over its steps is that point."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.latent.trajectories import POINTS, restore_path
from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents

_SLACK = 1e-3  # variance of the mean that is left free, so that a mean outside the corpus has a path, too


def latent_to_decode(contents: InstrumentContents, mean: Tensor) -> tuple[Tensor, int | None]:
    """Returns the latent `(dims,)` or `(dims, steps)` of a point `mean (dims,)`, projected by the model, and its length in samples.

    Of a whole clip the latent is the point, and the length None: the model knows it.
    """
    if not contents.model.time_varying:
        return contents.model.project(mean[None])[0], None
    path, length = _likeliest_path(contents, mean)
    return contents.model.project(path[None])[0], length


def _likeliest_path(contents: InstrumentContents, mean: Tensor) -> tuple[Tensor, int]:
    """The path `(dims, steps)` of largest density among those of a given mean over time, and its length in samples.

    The mean is a linear function of the coordinates of `Trajectories`, A c + b. Within each component of the density, a Gaussian, the
    likeliest coordinates given A c + b = mean are a linear regression; the component is taken that makes the mean likeliest.
    """
    trajectories, space = sequences.trajectories_of(contents), contents.space
    shares = restore_path(torch.eye(POINTS), torch.linspace(0, 1, 8 * POINTS)).mean(1).double()  # of each point in the mean over time
    directions = trajectories.basis.double() * trajectories.scale.double()[:, None, None]
    matrix = torch.cat([(directions @ shares).T, torch.zeros(len(mean), 1, dtype=torch.float64)], 1)  # the length moves no mean
    wanted = mean.double() - trajectories.mean.double() @ shares
    best, highest = None, -torch.inf
    for weight, centre, factor in zip(space.weights.double(), space.means.double(), space.factors.double(), strict=True):
        covariance = factor @ factor.T
        spread = matrix @ covariance @ matrix.T + _SLACK * torch.eye(len(mean), dtype=torch.float64)
        missing = wanted - matrix @ centre
        solved = torch.linalg.solve(spread, missing)
        score = float(weight.log() - 0.5 * (missing @ solved + torch.logdet(spread)))
        if score > highest:
            best, highest = centre + covariance @ matrix.T @ solved, score
    assert best is not None
    path, length = sequences.path_at(contents, best.float(), None)
    return path + (mean - path.mean(1))[:, None], length
