"""The KL's part in the loss along the steps: warm-up, cycles, free nats, a capacity to reach. `training.kl` of the preset."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from timbrespace.config.schema import Kl


def scheduled(losses: Mapping[str, Tensor], kl: Kl, *, step: int, steps: int) -> Mapping[str, Tensor]:
    """The losses of a step with "kl" as the schedule has it; the same mapping where there is nothing to do.

    losses: "kl" `(dims,)`, the batch's mean of each dimension in nats, if there is one. step: from 0; steps: of the whole run.

    - warm-up: times `rise`, with `cycles` as often anew (Fu et al. 2019)
    - free_bits: a dimension under so many nats counts as if it had them, and feels no pull (Kingma et al. 2016)
    - capacity: |sum - C| instead of the sum, C from 0 to capacity along `rise` (Burgess et al. 2018)
    """
    if "kl" not in losses or kl == Kl():
        return losses
    nats = losses["kl"]
    if kl.capacity is not None:
        return {**losses, "kl": (nats.sum() - kl.capacity * rise(kl, step=step, steps=steps)).abs()}
    if kl.free_bits:
        nats = nats.clamp_min(kl.free_bits)
    return {**losses, "kl": nats * rise(kl, step=step, steps=steps)}


def rise(kl: Kl, *, step: int, steps: int) -> float:
    """From 0 to 1: linear over the share `warm_up` of each of `cycles` equal parts of the run, then 1."""
    share = _share(kl)
    part = step * kl.cycles / steps % 1.0
    return 1.0 if part >= share else part / share


def settled(kl: Kl, *, steps: int) -> float:
    """The step from which the schedule changes no more: earlier states cannot be the best, nor can training stop before."""
    share = _share(kl)
    return steps * (kl.cycles - 1 + share) / kl.cycles if share else 0.0


def _share(kl: Kl) -> float:
    """A capacity without a warm-up rises along the whole cycle."""
    return kl.warm_up or (1.0 if kl.capacity is not None else 0.0)
