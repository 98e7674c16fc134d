"""The loss of a step: one dict of losses, one dict of weights with the same keys, one sum; and the schedule of the KL."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from timbrespace.config.schema import Kl


def total(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The weighted sum, a scalar; "kl" `(dims,)` counts as its sum over dimensions. Raises KeyError for a loss without a weight."""
    missing = sorted(losses.keys() - weights.keys())
    if missing:
        raise KeyError(f"losses {missing} have no weight; there are weights for {sorted(weights)}")
    return torch.stack([weights[key] * loss.sum() for key, loss in losses.items()]).sum()


def scheduled(losses: Mapping[str, Tensor], kl: Kl, *, step: int, steps: int) -> Mapping[str, Tensor]:
    """The losses of a step with "kl" changed by the schedule `training.kl`; the same mapping if there is nothing to change.

    losses: may hold "kl" `(dims,)`, nats of each dimension, mean over the batch. step: from 0. steps: of the whole run.

    - warm-up: the KL times `kl_ramp`, once in each of `cycles` cycles (Fu et al. 2019)
    - free_bits: a dimension below this many nats costs as if it had them, and has no gradient (Kingma et al. 2016)
    - capacity: |sum - C| instead of the sum; C rises from 0 to capacity along `kl_ramp` (Burgess et al. 2018)
    """
    if "kl" not in losses or kl == Kl():
        return losses
    nats = losses["kl"]
    if kl.capacity is not None:
        return {**losses, "kl": (nats.sum() - kl.capacity * kl_ramp(kl, step=step, steps=steps)).abs()}
    if kl.free_bits:
        nats = nats.clamp_min(kl.free_bits)
    return {**losses, "kl": nats * kl_ramp(kl, step=step, steps=steps)}


def kl_ramp(kl: Kl, *, step: int, steps: int) -> float:
    """From 0 to 1: linear over the share `warm_up` of each of `cycles` equal parts of the run, then 1."""
    share = _ramp_share(kl)
    part = step * kl.cycles / steps % 1.0
    return 1.0 if part >= share else part / share


def settled_step(kl: Kl, *, steps: int) -> float:
    """The step from which the schedule is constant. Earlier states cannot be the best, and training does not stop before it."""
    share = _ramp_share(kl)
    return steps * (kl.cycles - 1 + share) / kl.cycles if share else 0.0


def _ramp_share(kl: Kl) -> float:
    """The share of a cycle in which the ramp rises: all of it for a capacity without a warm-up."""
    return kl.warm_up or (1.0 if kl.capacity is not None else 0.0)
