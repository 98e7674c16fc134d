"""The base of models of whole clips: a network between the image of a sound and a latent."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.contracts import ShapeError
from timbrespace.model.base import Batch, Decoded, Evaluation, Model, Posterior
from timbrespace.model.parts.bottleneck import Bottleneck
from timbrespace.model.parts.likelihood import Likelihood
from timbrespace.model.parts.pca import evenly
from timbrespace.representation.spec import FeatureSpec

Dims = Annotated[int, Field(ge=1, le=2_048)]
_RESIDUAL_SOUNDS = 64  # sounds from which residuals are estimated
_FAINTEST = 0.1  # loudest cell of an image, at most 1, that is still stretched to 1


class ImageModel(Model):
    """An autoencoder over images `(parts, bands, frames)` of one size. A new family writes `encode_raw` and `decode_raw`.

    An image of levels in dB is 0 at the floor and 1 at the sound's loudest cell; of other features, it is the features.
    spec: of the features. dims: latent size. bottleneck: see `Bottleneck`; likelihood: see `Likelihood`.
    """

    def __init__(self, spec: FeatureSpec, *, dims: int, bottleneck: str, likelihood: str):
        super().__init__(spec)
        self.dims = dims
        self.bottleneck, self.likelihood = Bottleneck(bottleneck, dims), Likelihood(likelihood)

    @abstractmethod
    def encode_raw(self, images: Tensor) -> Tensor:
        """Returns the encoder's outputs: `(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """Returns the decoder's outputs: `(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns images of features `(batch, parts, bands, frames)`, of the same shape. Raises ShapeError."""
        if features.ndim != 4 or tuple(features.shape[1:]) != self.spec.shape:
            raise ShapeError(f"features must be (batch, {', '.join(map(str, self.spec.shape))}), not {tuple(features.shape)}")
        if self.spec.floor is None:
            return features
        return to_image(features, floor=self.spec.floor)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the Posterior `(batch, dims)` of features `(batch, parts, bands, frames)`, padded with silence to the longest clip."""
        return self.posterior(Batch(self.compress(self.prepare_features(features).flatten(1)), lengths))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """Returns features `(batch, parts, bands, frames)` of latents `(batch, dims)`. lengths: of the longest clip by default."""
        if z.ndim != 2 or z.shape[1] != self.dims:
            raise ShapeError(f"a latent must be (batch, {self.dims}), not {tuple(z.shape)}")
        if lengths is None:
            lengths = torch.full((len(z),), self.spec.samples, device=z.device)
        return Decoded(self.features(z), lengths.clamp(1, self.spec.samples))

    def features(self, z: Tensor) -> Tensor:
        """Returns features `(batch, parts, bands, frames)` of latents `(batch, dims)`; levels have their loudest cell at 0 dB."""
        features = self.likelihood.mean(self.decode_raw(self.project(z)))
        return features if self.spec.floor is None else to_levels(features, floor=self.spec.floor)

    def project(self, z: Tensor) -> Tensor:
        """Returns the nearest latents to `z (batch, dims, …)` that the bottleneck can give."""
        return self.bottleneck.project(z)

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the Posterior `(batch, dims)` of a batch of images `(batch, parts, bands, frames)`."""
        return self.bottleneck.posterior(self.encode_raw(batch.values))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses: reconstruction `()`, see `Likelihood`, and those of the bottleneck, such as kl `(dims,)`."""
        posterior = self.posterior(batch)
        output = self.decode_raw(self.bottleneck.draw(posterior))
        return {"reconstruction": self.likelihood.loss(output, batch.values).mean(), **self.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors and KL. An error is the root mean square over a sound's values, in dB, else 100 × the features' own unit."""
        posterior = self.posterior(batch)
        return Evaluation(self.errors(posterior.mean, batch.values), self.bottleneck.kl(posterior))

    def residuals(self, batch: Batch) -> Tensor:
        """Returns reconstructions minus images, `(some, parts, bands, frames)`, of a few sounds spread over a batch."""
        rows = evenly(torch.arange(len(batch.lengths)), _RESIDUAL_SOUNDS)
        some = batch._replace(values=batch.values[rows], lengths=batch.lengths[rows])
        return self.likelihood.mean(self.decode_raw(self.posterior(some).mean)) - some.values

    def errors(self, z: Tensor, images: Tensor) -> Tensor:
        """Returns the errors `(batch,)` of decoded `z (batch, dims)` against `images`, in the model's unit; see `evaluate`."""
        difference = self.likelihood.mean(self.decode_raw(z)) - images
        return (100.0 if self.spec.floor is None else self.spec.floor) * difference.flatten(1).square().mean(1).sqrt()


def to_image(levels: Tensor, *, floor: float) -> Tensor:
    """Returns levels in dB `(batch, parts, bands, frames)` as images of the same shape: 0 at the floor, 1 at the loudest cell."""
    return 1 + (levels - levels.amax((1, 2, 3), keepdim=True)).clamp_min(-floor) / floor


def to_levels(image: Tensor, *, floor: float) -> Tensor:
    """Returns images as levels in dB with the loudest cell at 0 dB, of the same shape.

    A blurred image has a weak loudest cell. The image is stretched so that this cell is 0 dB and silence stays at the floor; a shift would
    raise silence to a hiss.
    """
    loudest = image.amax((1, 2, 3), keepdim=True)
    return ((image - loudest) / loudest.clamp_min(_FAINTEST)).clamp_min(-1) * floor
