"""Posterior collapse: dimensions of the latent that the encoder does not use, told on the card and as a warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from timbrespace.model.base import Model
from timbrespace.training.data.sounds import Sounds, batches_of

_ACTIVE = 0.01  # variance of the posterior's mean over sounds (Burda et al. 2016)
_HELD = 0.01  # nats under which a dimension tells nothing of a sound
_SOUNDS = 1_024  # looked at, at most


@dataclass(frozen=True)
class Activity:
    """Of each dimension: kl, nats a sound; variance of the posterior mean over sounds (and steps, where z moves)."""

    kl: list[float]
    variance: list[float]

    @property
    def active(self) -> int:
        """Active units: dimensions whose mean varies by more than 0.01 (Burda et al. 2016)."""
        return sum(value > _ACTIVE for value in self.variance)

    @property
    def collapsed(self) -> bool:
        """Whether fewer than half are active, of a model with noise in its latent."""
        return any(self.kl) and 2 * self.active < len(self.variance)

    def card(self) -> dict[str, Any]:
        """For the card's part on training."""
        return {"active_units": self.active, "kl_per_dimension": [round(value, 4) for value in self.kl]}

    def advice(self) -> str | None:
        """What to do, in a sentence; None where half of the dimensions or more are active."""
        if not self.collapsed:
            return None
        dims = len(self.variance)
        return (
            f"{dims - self.active} of {dims} dimensions hold nothing (posterior collapse): lower training.weights.kl, set "
            "training.kl.free_bits (2 nats, say), or take the likelihood sigma; training.kl.warm_up alone seldom helps"
        )


@torch.no_grad()
def activity(model: Model, sounds: Sounds, *, own: int) -> Activity:
    """How a trained model uses its latent, on the first `own` sounds (1,024 at most)."""
    found = [(model.posterior(batch).mean, model.evaluate(batch).kl) for batch in batches_of(sounds, min(own, _SOUNDS))]
    means = torch.cat([mean for mean, _ in found])
    kl = sum(each * len(mean) for mean, each in found) / len(means)
    variance = means.transpose(0, 1).flatten(1).var(1, correction=0)
    inferred = model.dims - model.known_dims  # what is known says nothing of how the latent is used
    return Activity([float(value) for value in torch.as_tensor(kl)][:inferred], variance.tolist()[:inferred])
