"""Posterior collapse: latent dimensions that the encoder does not use, shown on the card and as a warning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from timbrespace.model.base import Model
from timbrespace.training.data.sounds import Sounds, batches_of

_ACTIVE = 0.01  # variance of the posterior's mean over sounds (Burda et al. 2016)


@dataclass(frozen=True)
class Activity:
    """Statistics of each latent dimension: KL in nats a sound; variance of the posterior mean over sounds (and steps of a trajectory).

    noise: mean variance of the posterior; empty for a model without noise in its latent.
    """

    kl: list[float]
    variance: list[float]
    noise: list[float] = field(default_factory=list)

    @property
    def active(self) -> int:
        """Active units: dimensions whose mean varies by more than 0.01 (Burda et al. 2016)."""
        return sum(value > _ACTIVE for value in self.variance)

    @property
    def collapsed(self) -> bool:
        """Whether fewer than half of the dimensions are active; False for a model without noise in its latent."""
        return any(self.kl) and 2 * self.active < len(self.variance)

    def card(self) -> dict[str, Any]:
        """Active units, and of each dimension KL, variance of the mean and of the noise, for the card's part on training."""
        return {
            "active_units": self.active,
            "kl_per_dimension": [round(value, 4) for value in self.kl],
            "variance_per_dimension": [round(value, 5) for value in self.variance],
            "noise_per_dimension": [round(value, 5) for value in self.noise],
        }

    def advice(self) -> str | None:
        """A warning with remedies; None if half of the dimensions or more are active."""
        if not self.collapsed:
            return None
        dims = len(self.variance)
        return (
            f"{dims - self.active} of {dims} dimensions are not used (posterior collapse): lower training.weights.kl, set "
            "training.kl.free_bits (for instance 2 nats), or set model.likelihood=sigma; training.kl.warm_up alone seldom helps"
        )


@torch.no_grad()
def activity(model: Model, sounds: Sounds, *, checked: Tensor) -> Activity:
    """How a trained model uses its latent, over the sounds of the rows `checked (n,)`."""
    batches = [(model.posterior(batch), model.evaluate(batch).kl) for batch in batches_of(sounds, checked)]
    means = torch.cat([posterior.mean for posterior, _ in batches]).transpose(0, 1).flatten(1)
    noise = torch.cat([posterior.log_variance.exp() for posterior, _ in batches]).transpose(0, 1).flatten(1).mean(1)
    kl = sum(nats * len(posterior.mean) for posterior, nats in batches) / sum(len(posterior.mean) for posterior, _ in batches)
    inferred = model.inferred_dims  # known dimensions say nothing about the encoder
    nats = [float(value) for value in torch.as_tensor(kl)][:inferred]
    return Activity(nats, means.var(1, correction=0).tolist()[:inferred], noise.tolist()[:inferred] if any(nats) else [])
