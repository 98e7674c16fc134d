"""`staged`: any autoencoder, trained first and then frozen, and any other model inside it that learns its codes (source B)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Decoded, Evaluation, Model, Posterior
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.stage import Stage
from timbrespace.model.wrappers.nested import Build, Nested, errors_named
from timbrespace.representation.spec import FeatureKind, FeatureSpec

_LEAST = 1e-6  # what codes that hardly move are divided by


Outer = Annotated[dict[str, Any], Nested(features=True, bottleneck="plain")]
Inner = Annotated[dict[str, Any], Nested(features=False, sigmoid=False)]  # codes lie on both sides of 0


class Staged(Model):
    """Features ─ outer encoder ─ codes, standardised ─ inner encoder ─ latent ─ inner decoder ─ codes ─ outer decoder ─ features.

    The outer model learns first. Then it stays as it is, every sound becomes its code once, and the inner model learns codes, which
    is quick. The codes are the means of the outer posterior, each value less its mean over the corpus and all divided by one deviation, so
    that a value which hardly matters to the sound does not matter to the inner model either;
    to the inner model they are features of one part, a band a code value (and a frame a step, where codes move).

    outer, inner: settings of two models, `name` and keys. outer_share: of the time or epochs, for the outer model. joint: both learn at
    once instead, from the outer model's error and what the inner bottleneck adds; their codes stay as they are. max_parameters: of
    the two. spec: of the features. build: makes the two.
    """

    mean: Tensor  # of each code value, of the codes' shape
    scale: Tensor

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        outer: Outer,
        inner: Inner,
        outer_share: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        joint: Annotated[bool, Field()] = False,
        max_parameters: Annotated[int | None, Field(ge=1)] = None,
        build: Build,
    ):
        super().__init__(spec)
        self.outer_share, self.joint = outer_share, joint

        def both() -> tuple[ImageModel, ImageModel]:
            with errors_named("outer"):
                first = build(outer, spec)
            with errors_named("inner"):
                return first, build(inner, _code_spec(first))

        if max_parameters is not None:  # counted where nothing takes memory yet
            with torch.device("meta"):
                _check_size(both(), max_parameters)
        self.outer, self.inner = both()
        if joint and type(self.inner).forward is not ImageModel.forward:
            raise ConfigError("model.joint is true, and model.inner learns in a way of its own; set model.joint to false")
        self.dims, self.time_varying = self.inner.dims, self.inner.time_varying
        shape = self.inner.spec.shape
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of the codes of one sound, `(1, code dims, code steps)`."""
        return tuple(self.mean.shape)

    def stages(self) -> list[Stage]:
        """Returns the outer model's stage, then the inner one's over its codes; one stage where both learn at once."""
        if self.joint:
            return super().stages()
        return [Stage("outer", self.outer, self.outer_share), Stage("inner", self.inner, 1 - self.outer_share, codes=self)]

    def initialise(self, batch: Batch) -> None:
        """As the outer model begins; the inner one too where both learn at once, else when there are codes."""
        self.outer.initialise(batch)
        if self.joint:
            with torch.no_grad():
                codes = self.codes(batch)
            self.inner.initialise(codes)

    def set_codes(self, mean: Tensor, deviation: Tensor) -> None:
        """Takes what the outer model's codes look like over the corpus, both of the shape of `mean`."""
        self.mean.copy_(mean)
        self.scale.fill_(float(deviation.square().mean().sqrt().clamp_min(_LEAST)))

    def raw_codes(self, batch: Batch) -> Tensor:
        """Images -> codes as the outer model gives them: `(batch, 1, code dims, code steps)`, one step where codes do not move."""
        return self.outer.posterior(batch).mean.reshape(-1, *self.mean.shape)

    def codes(self, batch: Batch) -> Batch:
        """Images -> what the inner model learns from, standardised `(batch, 1, code dims, code steps)`."""
        return Batch(self.standardised(self.raw_codes(batch)), batch.lengths)

    def standardised(self, codes: Tensor) -> Tensor:
        """Codes -> the same less their mean and divided by their deviation, the root of the mean of all squares."""
        return (codes - self.mean) / self.scale

    def outer_latent(self, codes: Tensor) -> Tensor:
        """Standardised codes `(batch, 1, code dims, code steps)` -> latents of the outer model."""
        z = (codes * self.scale + self.mean)[:, 0]
        return self.outer.project(z if self.outer.time_varying else z[..., 0])

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)`, padded with silence to the longest clip -> Posterior of the inner model."""
        return self.posterior(Batch(self.prepare_features(features), lengths))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Latents of the inner model -> features `(batch, parts, bands, frames)`; lengths: as the outer model has them."""
        return self.outer.decode(self.outer_latent(self.inner.decode(z).features), lengths=lengths)

    def project(self, z: Tensor) -> Tensor:
        """As the inner model has it."""
        return self.inner.project(z)

    def draw(self, z: Tensor, rng: np.random.Generator, *, temperature: float) -> Tensor:
        """As the inner model has it."""
        return self.inner.draw(z, rng, temperature=temperature)

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """As the outer model stores them."""
        return self.outer.prepare_features(features)

    def posterior(self, batch: Batch) -> Posterior:
        """Images -> Posterior of the inner model."""
        return self.inner.posterior(self.codes(batch))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of both learning at once: the outer model's likelihood, and what the inner bottleneck adds."""
        posterior = self.posterior(batch)
        codes = self.inner.likelihood.mean(self.inner.decode_raw(self.inner.bottleneck.draw(posterior)))
        z = self.outer_latent(codes)
        reconstruction = self.outer.likelihood.loss(self.outer.decode_raw(z), batch.values).mean()
        return {"reconstruction": reconstruction, **self.inner.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """From image to image through both: errors in the outer model's unit, the rest of the inner model."""
        inside = self.inner.evaluate(self.codes(batch))
        z = self.outer_latent(self.inner.features(self.posterior(batch).mean))
        return inside._replace(errors=self.outer.errors(z, batch.values))


def _code_spec(outer: ImageModel) -> FeatureSpec:
    """Returns the spec of an outer model's codes: one part, a band a code value, a frame a step; one frame where codes do not move."""
    steps = 1
    if outer.time_varying:  # only the model knows how many steps its codes have
        with torch.no_grad():
            steps = outer.posterior(Batch(torch.zeros(1, *outer.spec.shape), torch.tensor([outer.spec.samples]))).mean.shape[2]
    kind = FeatureKind("other", "codes")
    return replace(outer.spec, parts=1, bands=outer.dims, frames=steps, kind=kind, floor=None, hop=None, centres=None)


def _check_size(models: tuple[ImageModel, ImageModel], limit: int) -> None:
    outer, inner = (sum(p.numel() for p in model.parameters()) for model in models)
    if outer + inner > limit:
        raise ConfigError(
            f"the two models have {outer + inner:,} parameters (outer {outer:,}, inner {inner:,}), model.max_parameters is {limit:,}; "
            "make their layers smaller or raise model.max_parameters"
        )
