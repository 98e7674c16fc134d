"""`conditional`: any model of whole clips, with a decoder conditioned on labels and numbers."""

from __future__ import annotations

from typing import Annotated, Any

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
from timbrespace.model.wrappers.nested import Build, Nested, errors_named, has_plain_losses
from timbrespace.noise import Noise
from timbrespace.representation.spec import FeatureSpec

_INITIAL_DROPOUT = 0.3  # of any one condition, in the regression that initialises the shift

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

    inner: settings of the wrapped model, `name` and keys. conditions: names, whose labels and ranges training looks up in the corpus, or
    name -> labels or [lowest, highest]. condition_dropout: share of sounds without any condition in training, and the chance that any one
    condition is dropped. width: of the MLP. spec: of the features. build: makes the inner model.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        inner: Annotated[dict[str, Any], Nested(features=True, plain_losses=True)],
        conditions: Annotated[list[str] | dict[str, Values], Field(max_length=32)],
        condition_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        width: Annotated[int, Field(ge=1, le=4_096)] = 128,
        build: Build,
    ):
        super().__init__(spec)
        with errors_named("inner"):
            self.inner = self._inner_of(inner, spec, build)
        self.conditions = Conditions(conditions if isinstance(conditions, dict) else {})
        self.conditioning = LabelConditioning(self.conditions)
        self.dims, self.condition_dropout = self.inner.dims + self.conditions.size, condition_dropout
        layers = (nn.Linear(self.conditions.inputs, width), nn.GELU(), nn.Linear(width, self.inner.dims)) if self.conditions.size else ()
        self.place = nn.Sequential(*layers)

    @staticmethod
    def _inner_of(settings: dict[str, Any], spec: FeatureSpec, build: Build) -> ImageModel:
        """Returns the inner model. Raises ConfigError where it has losses or conditions of its own."""
        name = settings.get("name")
        if settings.get("conditions"):  # before building: a list of names is not resolved here
            raise ConfigError(f"model.conditions are given to {name!r}; a conditional model has them in its own key `conditions` only")
        inner = build(settings, spec)
        if not has_plain_losses(type(inner)):
            raise ConfigError(f"model.name is {name!r}, which has losses of its own and cannot be conditioned; take a family without")
        if inner.conditioning.names:
            known = ", ".join(inner.conditioning.names)
            raise ConfigError(
                f"model.name is {name!r}, which has conditions of its own ({known}) and cannot be conditioned; train it alone"
            )
        return inner

    def initialise(self, batch: Batch) -> None:
        """Initialises the inner model, then the shift by regression of its latents on the conditions; the latent codes the rest."""
        self.inner.initialise(batch)
        if not self.conditions.size:
            return
        entries = self.entries_of(batch)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            fewer = self.conditions.dropped(entries, share=_INITIAL_DROPOUT)
        known = self.conditions.spread(torch.cat([entries, fewer, torch.zeros_like(entries)]))
        with torch.no_grad():
            mean = self.inner.posterior(batch).mean
            weights, constants, _ = regression(known, mean.repeat(3, 1))
            count = room(self.place)
            into(self.place, weights[:count], constants[:count])

    def shift(self, entries: Tensor) -> Tensor:
        """Returns the shift of the inner latent `(batch, inner dims)` for entries of conditions `(batch, size)`."""
        return self.place(self.conditions.spread(entries)) if self.conditions.size else entries.new_zeros(len(entries), self.inferred_dims)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the Posterior `(batch, dims)` of features `(batch, parts, bands, frames)`, padded with silence to the longest clip.

        conditions: `(batch, conditions)`, NaN where unknown; None: all are unknown.
        """
        return self.posterior(Batch(self.compress(self.prepare_features(features).flatten(1)), lengths, conditions))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, frames)` and lengths of latents `(batch, dims)`, decoded by the inner model."""
        return self.inner.decode(z[:, : self.inferred_dims] + self.shift(z[:, self.inferred_dims :]), lengths=lengths)

    def project(self, z: Tensor) -> Tensor:
        """Returns `z (batch, dims)` unchanged: conditions may be between two labels."""
        return z

    def draw(self, z: Tensor, noise: Noise, *, temperature: float) -> Tensor:
        """Returns `z (dims,)` with conditions of a single sound, see `Conditions.settled`."""
        return torch.cat([z[: self.inferred_dims], self.conditions.settled(z[self.inferred_dims :])])

    @property
    def storing(self) -> Model:
        """The inner model."""
        return self.inner.storing

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)` as the inner model prepares it."""
        return self.inner.prepare_audio(audio)

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns features as the inner model stores them, `(batch, …)`."""
        return self.inner.prepare_features(features)

    def compress(self, features: Tensor) -> Tensor:
        """Returns the values `(batch, …)` that the inner model learns, for stored features `(batch, cells)`."""
        return self.inner.compress(features)

    def entries_of(self, batch: Batch) -> Tensor:
        """Returns the entries of a batch's conditions, `(batch, size)`."""
        conditions = self.conditions.unknown(len(batch.lengths)) if batch.conditions is None else batch.conditions
        return self.conditions.entries(conditions.to(batch.values.device, torch.float32))

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the inner Posterior without the shift, with the conditions as known entries: `(batch, dims)`."""
        entries = self.entries_of(batch)
        mean, log_variance = self._rest(self.inner.posterior(batch), entries)
        return Posterior(torch.cat([mean, entries], 1), torch.cat([log_variance, torch.full_like(entries, -torch.inf)], 1))

    def _rest(self, posterior: Posterior, entries: Tensor) -> Posterior:
        """Returns the inner Posterior `(batch, inner dims)` with the shift of the conditions subtracted."""
        return posterior._replace(mean=posterior.mean - self.shift(entries))

    def infer(
        self, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int, *, search: bool = True, known: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Returns the latent `(1, dims)` of a given sound: its numbers are measured, its labels the likeliest. There is no search."""
        found = self.conditioning.of_sound(audio, sample_rate)
        found = found if known is None else torch.where(known.isfinite(), known, found)
        return self.encode(features, lengths, self.with_likely_labels(features, lengths, found)).mean

    def with_likely_labels(self, features: Tensor, lengths: Tensor, known: Tensor) -> Tensor:
        """Returns conditions `(batch, conditions)` with unknown labels replaced by the ones whose shift is nearest to the encoded sound."""
        mean = self.inner.encode(features, lengths).mean
        known = known.clone()
        for k, condition in enumerate(self.conditions.all):
            if not condition.labels or not bool(known[:, k].isnan().any()):
                continue
            tried = known[:, None].repeat(1, len(condition.labels), 1)
            tried[:, :, k] = torch.arange(len(condition.labels)).to(known)
            shifts = self.shift(self.conditions.entries(tried.flatten(0, 1))).unflatten(0, tried.shape[:2])
            nearest = (mean[:, None] - shifts).square().sum(2).argmin(1).to(known)
            known[:, k] = torch.where(known[:, k].isnan(), nearest, known[:, k])
        return known

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses of `ImageModel` under condition dropout; "kl" `(inner dims,)`."""
        entries = self.conditions.dropped(self.entries_of(batch), share=self.condition_dropout)
        posterior = self._rest(self.inner.posterior(batch), entries)
        output = self.inner.decode_raw(self.inner.bottleneck.draw(posterior) + self.shift(entries))
        reconstruction = self.inner.likelihood.loss(output, batch.values).mean()
        return {"reconstruction": reconstruction, **self.inner.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors and KL with all known conditions; KL `(dims,)`, 0 for conditions."""
        posterior, entries = self.inner.posterior(batch), self.entries_of(batch)
        kl = self.inner.bottleneck.kl(self._rest(posterior, entries))
        return Evaluation(self.inner.errors(posterior.mean, batch.values), torch.cat([kl, entries.new_zeros(self.conditions.size)]))
