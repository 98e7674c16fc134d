"""The shortest step in a latent space that changes some descriptors as wished and leaves the others: by slopes, then by measuring."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

HOLD = 64.0  # weight of a change of another descriptor, in spreads², against the squared length of the step
AUDIBLE = 1.0  # weight of the mean squared change in dB, against the same
TOLERANCE, HELD = 0.03, 0.1  # spreads: errors of asked descriptors, and changes of held ones, that are good enough
_LONGEST_STEP = 2.0  # of one correction
_SOFT = 1e-4
_RIDGE = 1e-13  # of the largest square, added where it is lost in rounding
_ASKED, _LEAK, _SIZE = 16.0, 0.3, 0.001  # weights in the choice of the best step, see `misfit`

Measure = Callable[[Tensor], Tensor]  # steps (batch, rank) -> changes of the descriptors (batch, descriptors), in spreads; 0 at step 0


class Wish(NamedTuple):
    """Changes of the descriptors that are wished for, `(batch, descriptors)`, in spreads: exactly of those `asked`, bool `(descriptors,)`.

    held: those that are to change little from their wish, which is 0 for descriptors that are to stay.
    """

    changes: Tensor
    asked: Tensor
    held: Tensor


class Followed(NamedTuple):
    """Steps `(batch, rank)`, and the changes of the descriptors that they make, `(batch, descriptors)`, in spreads."""

    steps: Tensor
    changes: Tensor


def shortest_step(slopes: Tensor, metric: Tensor, wish: Wish, steps: Tensor, changes: Tensor) -> Tensor:
    """Returns new steps `(batch, rank)` from steps that made `changes (batch, descriptors)`: Gauss and Newton's method with constraints.

    They minimise length² + AUDIBLE · (change in dB)² + HOLD · (changes of the held descriptors)², such that the asked ones change as
    wished, to first order. slopes `(batch, descriptors, rank)`: of the descriptors. metric `(rank, rank)`: of changes in dB.
    """
    others = slopes[:, wish.held]
    square = torch.eye(slopes.shape[2]) + AUDIBLE * metric + HOLD * others.mT @ others
    factor, failed = torch.linalg.cholesky_ex(square)
    if not failed.any():
        return _constrained(slopes, factor, wish, steps, changes)
    # Slopes so steep, as those of a sound that is silent beside the point, that the identity is lost in their rounding.
    precise = slopes.double()
    square = torch.eye(slopes.shape[2]) + AUDIBLE * metric.double() + HOLD * precise[:, wish.held].mT @ precise[:, wish.held]
    square += _RIDGE * square.diagonal(dim1=1, dim2=2).amax(1)[:, None, None] * torch.eye(slopes.shape[2])
    exact = wish._replace(changes=wish.changes.double())
    return _constrained(precise, torch.linalg.cholesky(square), exact, steps.double(), changes.double()).to(slopes.dtype)


def _constrained(slopes: Tensor, factor: Tensor, wish: Wish, steps: Tensor, changes: Tensor) -> Tensor:
    """The least steps `(batch, rank)` for the Cholesky factor of their squared length, that fulfil the constraints."""
    others, own = slopes[:, wish.held], slopes[:, wish.asked]
    right = HOLD * others.mT @ (others @ steps[:, :, None] + (wish.changes - changes)[:, wish.held, None])
    free, across = torch.cholesky_solve(right, factor), torch.cholesky_solve(own.mT, factor)
    missing = (wish.changes - changes)[:, wish.asked, None] + own @ (steps[:, :, None] - free)
    weights = torch.linalg.solve(own @ across + _SOFT * torch.eye(own.shape[1]), missing)
    return (free + across @ weights)[:, :, 0]


def follow(
    measure: Measure, slopes: Tensor, metric: Tensor, wish: Wish, *, corrections: int, farthest: float, start: Followed | None = None
) -> Followed:
    """Returns the best of up to `corrections + 1` steps, each corrected by what was measured: the path of a wish is curved.

    slopes: at the start; every measurement updates them (Broyden, "A class of methods for solving nonlinear simultaneous equations", 1965).
    farthest: length of the longest step. start: where an earlier search ended; None: step 0. Others as in `shortest_step`.
    """
    step, change = (torch.zeros(len(slopes), slopes.shape[2]), torch.zeros_like(wish.changes)) if start is None else start
    best = Followed(step, change)
    least = misfit(change, step, wish)
    for _ in range(corrections + 1):
        if fulfilled(best.changes, wish):
            break
        move = _limited(shortest_step(slopes, metric, wish, step, change) - step, _LONGEST_STEP)
        move = _limited(step + move, farthest) - step
        size = move.square().sum(1)
        if not bool((size > 1e-10).any()):
            break
        found = measure(step + move).nan_to_num(0.0)
        error = found - change - (slopes @ move[:, :, None])[:, :, 0]
        slopes = slopes + (error / size.clamp_min(1e-6)[:, None])[:, :, None] * move[:, None]
        step, change = step + move, found
        size_of_miss = misfit(change, step, wish)
        better = (size_of_miss < least)[:, None]
        best = Followed(torch.where(better, step, best.steps), torch.where(better, change, best.changes))
        least = torch.minimum(least, size_of_miss)
    return best


def fulfilled(changes: Tensor, wish: Wish, *, held: bool = False) -> bool:
    """Returns whether `changes (batch, descriptors)` are near enough to a wish. held: whatever the held descriptors do."""
    missed = (wish.changes - changes).abs()
    return bool((missed[:, wish.asked] <= TOLERANCE).all()) and (held or bool((missed[:, wish.held] <= HELD).all()))


def misfit(change: Tensor, step: Tensor, wish: Wish) -> Tensor:
    """Returns what is to be least, `(batch,)`: errors of the asked descriptors, changes of the held ones, the length of the step."""
    missed = (wish.changes - change).square()
    return _ASKED * missed[:, wish.asked].sum(1) + _LEAK * missed[:, wish.held].sum(1) + _SIZE * step.square().sum(1)


def _limited(step: Tensor, longest: float) -> Tensor:
    """Steps `(batch, rank)` of at most this length."""
    return step * (longest / step.norm(dim=1, keepdim=True).clamp_min(longest))
