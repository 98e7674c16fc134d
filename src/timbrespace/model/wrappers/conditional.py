"""`conditional`: any model of whole sounds, whose decoder is told what is known of a sound beside its latent."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Decoded, Evaluation, Model, Posterior
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.conditioning.conditions import Conditions
from timbrespace.model.conditioning.labels import LabelConditioning
from timbrespace.model.parts.pca import regression
from timbrespace.model.parts.pca_init import into, room
from timbrespace.model.wrappers.nested import Build, Nested, errors_named
from timbrespace.representation.spec import FeatureSpec

_TOLD_LESS = 0.3  # share of sounds of which any one fact is forgotten, where learning begins

Values = list[str] | list[float]


class Conditional(Model):
    """image ─ encoder ─(-)─ latent ─(+)─ decoder ─ image
                         │            │
            conditions ─ MLP ─────────┘

    The conditions are the last entries of the latent: `dims` = those of the inner model + entries of the conditions, which are known and
    not inferred (log variance -inf). Unknown conditions are zeros; condition dropout sets known ones to zero in training.

    The conditions shift the inner decoder's latent; the encoder's output is shifted back by the same amount. So the KL pulls sounds towards
    the shift of their conditions, and the latent codes the rest. (With the shift at the decoder alone and condition dropout, the latent
    must code everything, and the decoder learns to ignore the conditions.)

    inner: settings of the inner model, `name` and keys. conditions: names, whose labels and ranges training looks up in the corpus, or
    name -> labels or [lowest, highest]. condition_dropout: share of sounds without any condition in training, and the chance that any one
    condition is dropped. width: of the MLP. spec: of the features. build: makes the inner model.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        inner: Annotated[dict[str, Any], Nested(features=True)],
        conditions: Annotated[list[str] | dict[str, Values], Field(max_length=32)],
        condition_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        width: Annotated[int, Field(ge=1, le=4_096)] = 128,
        build: Build,
    ):
        super().__init__(spec)
        with errors_named("inner"):
            self.inner = build(inner, spec)
        if type(self.inner).forward is not ImageModel.forward:
            raise ConfigError(
                "model.inner learns in a way of its own and cannot be told anything; take dense, conv, conv-vae, raw or recurrent-clip"
            )
        self.conditions = Conditions(conditions if isinstance(conditions, dict) else {})
        self.conditioning = LabelConditioning(self.conditions)
        self.dims, self.condition_dropout = self.inner.dims + self.conditions.size, condition_dropout
        layers = (nn.Linear(self.conditions.inputs, width), nn.GELU(), nn.Linear(width, self.inner.dims)) if self.conditions.size else ()
        self.place = nn.Sequential(*layers)

    def initialise(self, batch: Batch) -> None:
        """As the model inside begins; sounds of which so much is told lie where regression on it says: the latent holds the rest."""
        self.inner.initialise(batch)
        if not self.conditions.size:
            return
        told = self.numbers(batch)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            less = self.conditions.dropped(told, share=_TOLD_LESS)
        known = self.conditions.spread(torch.cat([told, less, torch.zeros_like(told)]))
        with torch.no_grad():
            mean = self.inner.posterior(batch).mean
            weights, constants, _ = regression(known, mean.repeat(3, 1))
            into(self.place, *(found[: room(self.place)] for found in (weights, constants)))

    def shift(self, told: Tensor) -> Tensor:
        """Numbers of conditions `(batch, told)` to where such sounds lie in the latent of the model inside, `(batch, free)`."""
        return self.place(self.conditions.spread(told)) if self.conditions.size else told.new_zeros(len(told), self.inferred_dims)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)`, padded with silence to the longest clip -> Posterior `(batch, dims)`.

        conditions: `(batch, conditions)`, NaN where unknown; None: nothing is known.
        """
        return self.posterior(Batch(self.prepare_features(features), lengths, conditions))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """`(batch, dims)` -> features `(batch, parts, bands, frames)`; lengths: as the model inside has them."""
        return self.inner.decode(z[:, : self.inferred_dims] + self.shift(z[:, self.inferred_dims :]), lengths=lengths)

    def project(self, z: Tensor) -> Tensor:
        """The same: conditions may also lie between two labels."""
        return z

    def draw(self, z: Tensor, rng: np.random.Generator, *, temperature: float) -> Tensor:
        """The same, with conditions of one sound."""
        return torch.cat([z[: self.inferred_dims], self.conditions.settled(z[self.inferred_dims :])])

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """As the model inside has them."""
        return self.inner.prepare_features(features)

    def numbers(self, batch: Batch) -> Tensor:
        """What is known of a batch, `(batch, told)`."""
        conditions = self.conditions.unknown(len(batch.lengths)) if batch.conditions is None else batch.conditions
        return self.conditions.numbers(conditions.to(batch.values.device, torch.float32))

    def posterior(self, batch: Batch) -> Posterior:
        """Images -> Posterior of the model inside, and what is known, for certain: `(batch, dims)`."""
        told = self.numbers(batch)
        mean, log_variance = self._rest(self.inner.posterior(batch), told)
        return Posterior(torch.cat([mean, told], 1), torch.cat([log_variance, torch.full_like(told, -torch.inf)], 1))

    def _rest(self, posterior: Posterior, told: Tensor) -> Posterior:
        """What is left of where sounds lie, beside what is told."""
        return posterior._replace(mean=posterior.mean - self.shift(told))

    def infer(self, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns the latent `(1, dims)` of a given sound: its numbers are measured, its labels the likeliest."""
        known = self.guessed(features, lengths, self.conditioning.of_sound(audio, sample_rate))
        return self.encode(features, lengths, known).mean

    def guessed(self, features: Tensor, lengths: Tensor, facts: Tensor) -> Tensor:
        """Facts `(batch, conditions)` with labels in place of those unknown: of each condition the one whose sounds lie nearest."""
        mean = self.inner.posterior(Batch(self.prepare_features(features), lengths)).mean
        facts = facts.clone()
        for k, condition in enumerate(self.conditions.all):
            if not condition.labels or not bool(facts[:, k].isnan().any()):
                continue
            tried = facts[:, None].repeat(1, len(condition.labels), 1)
            tried[:, :, k] = torch.arange(len(condition.labels)).to(facts)
            shifts = self.shift(self.conditions.numbers(tried.flatten(0, 1))).unflatten(0, tried.shape[:2])
            nearest = (mean[:, None] - shifts).square().sum(2).argmin(1).to(facts)
            facts[:, k] = torch.where(facts[:, k].isnan(), nearest, facts[:, k])
        return facts

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """As `ImageModel`, some sounds told less than is known; kl `(free,)`."""
        told = self.conditions.dropped(self.numbers(batch), share=self.condition_dropout)
        posterior = self._rest(self.inner.posterior(batch), told)
        output = self.inner.decode_raw(self.inner.bottleneck.draw(posterior) + self.shift(told))
        reconstruction = self.inner.likelihood.loss(output, batch.values).mean()
        return {"reconstruction": reconstruction, **self.inner.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """As `ImageModel`, told all that is known; kl `(dims,)`, 0 for conditions."""
        posterior, told = self.inner.posterior(batch), self.numbers(batch)
        kl = self.inner.bottleneck.kl(self._rest(posterior, told))
        return Evaluation(self.inner.errors(posterior.mean, batch.values), torch.cat([kl, told.new_zeros(self.conditions.size)]))
