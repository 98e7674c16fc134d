"""`staged`: an autoencoder, trained first and then frozen, and a second model trained on its codes (source B)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Decoded, Evaluation, Model, Posterior
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.stage import Stage
from timbrespace.model.wrappers.nested import Build, Nested, errors_named
from timbrespace.noise import Noise
from timbrespace.representation.spec import FeatureKind, FeatureSpec

_LEAST = 1e-6  # least deviation by which codes are divided


Outer = Annotated[dict[str, Any], Nested(features=True, bottleneck="plain")]
Inner = Annotated[dict[str, Any], Nested(features=False, sigmoid=False)]  # codes may be negative


class Staged(Model):
    """Features ─ outer encoder ─ codes, standardised ─ inner encoder ─ latent ─ inner decoder ─ codes ─ outer decoder ─ features.

    The outer model is trained first, then frozen. Every sound is encoded once, and the inner model is trained on the codes, which is quick.
    Codes are the means of the outer posterior, minus their mean over the corpus, all divided by one deviation, so that a value that hardly
    matters to the sound hardly matters to the inner model. For the inner model they are features of one part, with a band a code value (and
    a frame a step, if codes vary in time).

    outer, inner: settings of the first and the second model, `name` and keys. outer_share: of the time or epochs, for the outer model.
    joint: train both at once instead, by the outer model's error and the losses of the inner bottleneck, without standardising the codes.
    max_parameters: of the two. spec: of the features. build: makes the two.
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
        self.outer_share, self.joint, self._outer_is_trained = outer_share, joint, False

        def both() -> tuple[ImageModel, ImageModel]:
            with errors_named("outer"):
                first = build(outer, spec)
            with errors_named("inner"):
                return first, build(inner, _code_spec(first))

        if max_parameters is not None:  # counted without allocating memory
            with torch.device("meta"):
                _check_size(both(), max_parameters)
        self.outer, self.inner = both()
        if joint and type(self.inner).forward is not ImageModel.forward:
            raise ConfigError("model.joint is true, and model.inner has losses of its own; set model.joint to false")
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
        share = 0.0 if self._outer_is_trained else self.outer_share
        return [Stage("outer", self.outer, share, trained=self._outer_is_trained), Stage("inner", self.inner, 1 - share, codes=self)]

    def use_outer(self, outer: Model) -> None:
        """Takes the weights of a trained model for the outer one; they no longer change. Raises ConfigError where both learn at once."""
        if self.joint:
            raise ConfigError("model.joint is true, so that both models learn at once; an outer model trained before needs joint false")
        self.outer.load_state_dict(outer.state_dict())
        self.outer.requires_grad_(False).eval()
        self._outer_is_trained = True

    def initialise(self, batch: Batch) -> None:
        """Initialises the outer model, and of a joint training the inner one; else that is done when there are codes."""
        if self._outer_is_trained:
            return
        self.outer.initialise(batch)
        if self.joint:
            with torch.no_grad():
                codes = self.codes(batch)
            self.inner.initialise(codes)

    def set_codes(self, mean: Tensor, deviation: Tensor) -> None:
        """Sets mean and deviation of the codes over the corpus, both of `code_shape`."""
        self.mean.copy_(mean)
        self.scale.fill_(float(deviation.square().mean().sqrt().clamp_min(_LEAST)))

    def raw_codes(self, batch: Batch) -> Tensor:
        """Returns codes of the outer model before standardisation, `(batch, 1, code dims, code steps)`."""
        return self.outer.posterior(batch).mean.reshape(-1, *self.mean.shape)

    def codes(self, batch: Batch) -> Batch:
        """Returns standardised codes `(batch, 1, code dims, code steps)` of a batch, for the inner model: its own, if it has some."""
        if batch.codes is not None:
            return Batch(batch.codes, batch.lengths)
        return Batch(self.standardised(self.raw_codes(batch)), batch.lengths)

    def standardised(self, codes: Tensor) -> Tensor:
        """Returns codes `(batch, *code_shape)` minus their mean, divided by the root mean square of their deviations."""
        return (codes - self.mean) / self.scale

    def outer_latent(self, codes: Tensor) -> Tensor:
        """Returns outer latents `(batch, code dims, …)` of standardised codes `(batch, 1, code dims, code steps)`."""
        z = (codes * self.scale + self.mean)[:, 0]
        return self.outer.project(z if self.outer.time_varying else z[..., 0])

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the inner Posterior `(batch, dims)` of features `(batch, parts, bands, frames)`, padded to the longest clip."""
        return self.posterior(Batch(self.compress(self.prepare_features(features).flatten(1)), lengths))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, frames)` and lengths of inner latents `(batch, dims)`, decoded by both models."""
        return self.outer.decode(self.outer_latent(self.inner.decode(z).features), lengths=lengths)

    def project(self, z: Tensor) -> Tensor:
        """Returns `z (batch, dims)` projected by the inner model."""
        return self.inner.project(z)

    def draw(self, z: Tensor, noise: Noise, *, temperature: float) -> Tensor:
        """Returns a latent `(dims,)` near `z (dims,)`, drawn by the inner model."""
        return self.inner.draw(z, noise, temperature=temperature)

    @property
    def storing(self) -> Model:
        """The outer model."""
        return self.outer.storing

    def prepare_audio(self, audio: Tensor) -> Tensor:
        """Returns a sound `(channels, time)` as the outer model prepares it."""
        return self.outer.prepare_audio(audio)

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns features as the outer model stores them, `(batch, …)`."""
        return self.outer.prepare_features(features)

    def compress(self, features: Tensor) -> Tensor:
        """Returns the values `(batch, …)` that the outer model learns, for stored features `(batch, cells)`."""
        return self.outer.compress(features)

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the inner Posterior `(batch, dims)` of a batch."""
        return self.inner.posterior(self.codes(batch))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses of a joint training: reconstruction `()` by the outer likelihood, and those of the inner bottleneck."""
        posterior = self.posterior(batch)
        codes = self.inner.likelihood.mean(self.inner.decode_raw(self.inner.bottleneck.draw(posterior)))
        z = self.outer_latent(codes)
        reconstruction = self.outer.likelihood.loss(self.outer.decode_raw(z), batch.values).mean()
        return {"reconstruction": reconstruction, **self.inner.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors of reconstructions through both models, in the outer model's unit; KL and metrics of the inner model."""
        inner = self.inner.evaluate(self.codes(batch))
        z = self.outer_latent(self.inner.features(self.posterior(batch).mean))
        return inner._replace(errors=self.outer.errors(z, batch.values))


def _code_spec(outer: ImageModel) -> FeatureSpec:
    """Returns the spec of an outer model's codes: one part, a band a code value, a frame a step; one frame if codes do not vary in time."""
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
