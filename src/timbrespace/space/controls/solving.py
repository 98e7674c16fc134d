"""The shortest step in a latent space that changes some descriptors as wished and leaves the others: by slopes, then by measuring."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

HOLD = 64.0  # weight of a change of another descriptor, in spreads², against the squared length of the step
AUDIBLE = 1.0  # weight of the mean squared change in dB, against the same
TOLERANCE, HELD = 0.03, 0.1  # spreads: errors of asked descriptors, and changes of held ones, that are good enough
LONGEST_STEP = 2.0  # of one correction
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
    """Steps `(batch, rank)`, and the changes of the descriptors that they make, `(batch, descriptors)`, in spreads.

    slopes `(batch, descriptors, rank)`: as they were learned on the way, with which another search goes on; None: not known.
    """

    steps: Tensor
    changes: Tensor
    slopes: Tensor | None = None


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
    measure: Measure, slopes: Tensor, metric: Tensor, wish: Wish, *, corrections: int, farthest: float, start: Followed | None = None,
    held: bool = False, longest: float = LONGEST_STEP,
) -> Followed:  # fmt: skip
    """Returns the best of up to `corrections + 1` steps, each corrected by what was measured: the path of a wish is curved.

    slopes: at the start, unless `start` has its own; every measurement updates them (Broyden, "A class of methods for solving nonlinear
    simultaneous equations", 1965).
    farthest: length of the longest step. start: where an earlier search ended; None: step 0. held: whether it ends as soon as the asked
    descriptors are near enough, whatever the held ones do. longest: length of one correction. Others as in
    `shortest_step`.
    """
    step, change = (torch.zeros(len(slopes), slopes.shape[2]), torch.zeros_like(wish.changes)) if start is None else start[:2]
    slopes = slopes if start is None or start.slopes is None else start.slopes
    best = Followed(step, change)
    least = misfit(change, step, wish)
    for _ in range(corrections + 1):
        if fulfilled(best.changes, wish, held=held):
            break
        ahead = next_step(Followed(step, change, slopes), metric, wish, farthest=farthest, longest=longest)
        if not bool(((ahead.steps - step).square().sum(1) > 1e-10).any()):
            break
        found = Followed(ahead.steps, measure(ahead.steps).nan_to_num(0.0))
        slopes = _learned(slopes, found, Followed(step, change))
        step, change = found.steps, found.changes
        size_of_miss = misfit(change, step, wish)
        better = (size_of_miss < least)[:, None]
        best = Followed(torch.where(better, step, best.steps), torch.where(better, change, best.changes))
        least = torch.minimum(least, size_of_miss)
    return best._replace(slopes=slopes)


def next_step(now: Followed, metric: Tensor, wish: Wish, *, farthest: float, longest: float = LONGEST_STEP) -> Followed:
    """Returns the step that follows one whose changes were measured, and the changes that its slopes let expect."""
    slopes = now.slopes
    assert slopes is not None
    move = _limited(shortest_step(slopes, metric, wish, now.steps, now.changes) - now.steps, longest)
    steps = _limited(now.steps + move, farthest)
    return Followed(steps, now.changes + (slopes @ (steps - now.steps)[:, :, None])[:, :, 0], slopes)


def learned(now: Followed, before: Followed) -> Followed:
    """Returns a measured step with slopes corrected by what it changed against the measured step before it (Broyden)."""
    assert now.slopes is not None
    return now._replace(slopes=_learned(now.slopes, now, before))


def _learned(slopes: Tensor, now: Followed, before: Followed) -> Tensor:
    move = now.steps - before.steps
    error = now.changes - before.changes - (slopes @ move[:, :, None])[:, :, 0]
    size = move.square().sum(1).clamp_min(1e-6)
    return slopes + (error / size[:, None])[:, :, None] * move[:, None]


def fulfilled(changes: Tensor, wish: Wish, *, held: bool = False) -> bool:
    """Returns whether `changes (batch, descriptors)` are near enough to a wish. held: whatever the held descriptors do."""
    missed = (wish.changes - changes).abs()
    return bool((missed[:, wish.asked] <= TOLERANCE).all()) and (held or bool((missed[:, wish.held] <= HELD).all()))


def missed_by(changes: Tensor, wish: Wish) -> float:
    """Returns how far `changes (batch, descriptors)` are from a wish: the largest error of an asked descriptor, in spreads."""
    return float((wish.changes - changes).abs()[:, wish.asked].max())


def misfit(change: Tensor, step: Tensor, wish: Wish) -> Tensor:
    """Returns the objective to minimise, `(batch,)`: errors of the asked descriptors, changes of the held ones, the length of the step."""
    missed = (wish.changes - change).square()
    return _ASKED * missed[:, wish.asked].sum(1) + _LEAK * missed[:, wish.held].sum(1) + _SIZE * step.square().sum(1)


def _limited(step: Tensor, longest: float) -> Tensor:
    """Steps `(batch, rank)` of at most this length."""
    return step * (longest / step.norm(dim=1, keepdim=True).clamp_min(longest))
