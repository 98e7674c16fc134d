"""What the families share: a network between the image of a whole sound and a latent."""

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
_LOOKED_AT = 64  # sounds, for how far off a model is
_FAINTEST = 0.1  # loudest cell of an image, 1 being right, that is still stretched to it


class ImageModel(Model):
    """An autoencoder over images `(parts, bands, frames)` of one size: a new family writes `numbers` and `output`.

    The image of a view in dB is 0 at the floor and 1 at the sound's loudest cell; of any other view, the features as they are.
    spec: of the features. dims: latent size. bottleneck: see `Bottleneck`; likelihood: see `Likelihood`.
    """

    def __init__(self, spec: FeatureSpec, *, dims: int, bottleneck: str, likelihood: str):
        super().__init__(spec)
        self.dims = dims
        self.bottleneck, self.likelihood = Bottleneck(bottleneck, dims), Likelihood(likelihood)

    @abstractmethod
    def encode_raw(self, images: Tensor) -> Tensor:
        """The encoder: `(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """The decoder: `(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""

    def prepare_features(self, features: Tensor, conditions: Tensor | None = None) -> Tensor:
        """`(batch, parts, bands, frames)`, features in, images out; the same shape."""
        if features.ndim != 4 or tuple(features.shape[1:]) != self.spec.shape:
            raise ShapeError(f"features must be (batch, {', '.join(map(str, self.spec.shape))}), not {tuple(features.shape)}")
        if self.spec.floor is None:
            return features
        return to_image(features, floor=self.spec.floor)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)`, padded with silence to the longest clip -> Posterior `(batch, dims)`."""
        return self.posterior(Batch(self.prepare_features(features), lengths))

    def decode(self, z: Tensor, *, lengths: Tensor | None = None) -> Decoded:
        """`(batch, dims)` -> features `(batch, parts, bands, frames)`; lengths: the longest clip unless asked for others."""
        if z.ndim != 2 or z.shape[1] != self.dims:
            raise ShapeError(f"a latent must be (batch, {self.dims}), not {tuple(z.shape)}")
        if lengths is None:
            lengths = torch.full((len(z),), self.spec.samples, device=z.device)
        return Decoded(self.features(z), lengths.clamp(1, self.spec.samples))

    def features(self, z: Tensor) -> Tensor:
        """What a latent stands for, `(batch, parts, bands, frames)`: levels with the loudest cell at 0 dB, or features as they are."""
        features = self.likelihood.mean(self.decode_raw(self.project(z)))
        return features if self.spec.floor is None else to_levels(features, floor=self.spec.floor)

    def project(self, z: Tensor) -> Tensor:
        """The latents nearest to `z (batch, dims, …)` that the bottleneck could have given."""
        return self.bottleneck.project(z)

    def posterior(self, batch: Batch) -> Posterior:
        """Images `(batch, parts, bands, frames)` -> Posterior `(batch, dims)`."""
        return self.bottleneck.posterior(self.encode_raw(batch.values))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """reconstruction as `Likelihood` says, and what the bottleneck adds; see `Model`."""
        posterior = self.posterior(batch)
        output = self.decode_raw(self.bottleneck.draw(posterior))
        return {"reconstruction": self.likelihood.loss(output, batch.values).mean(), **self.bottleneck.losses(posterior)}

    def evaluate(self, batch: Batch) -> Evaluation:
        """Errors as the root of the mean square over a sound's values: in dB, or in % of full scale (source B's stdev)."""
        posterior = self.posterior(batch)
        return Evaluation(self.errors(posterior.mean, batch.values), self.bottleneck.kl(posterior))

    def residuals(self, batch: Batch) -> Tensor:
        """What comes back less what went in, of a few sounds spread over a batch: `(some, parts, bands, frames)`."""
        rows = evenly(torch.arange(len(batch.lengths)), _LOOKED_AT)
        some = batch._replace(values=batch.values[rows], lengths=batch.lengths[rows])
        return self.likelihood.mean(self.decode_raw(self.posterior(some).mean)) - some.values

    def errors(self, z: Tensor, images: Tensor) -> Tensor:
        """Of what z decodes to, `(batch,)` in the model's unit; see `measure`."""
        difference = self.likelihood.mean(self.decode_raw(z)) - images
        return (100.0 if self.spec.floor is None else self.spec.floor) * difference.flatten(1).square().mean(1).sqrt()


def to_image(levels: Tensor, *, floor: float) -> Tensor:
    """Levels in dB `(batch, parts, bands, frames)` as images of the same shape: 0 at the floor, 1 at each sound's loudest cell."""
    return 1 + (levels - levels.amax((1, 2, 3), keepdim=True)).clamp_min(-floor) / floor


def to_levels(image: Tensor, *, floor: float) -> Tensor:
    """The way back, the loudest cell at 0 dB: the same shape.

    A blurred image has a weak loudest cell. It is stretched to 0 dB and silence left where it is: shifted, it would be a hiss.
    """
    loudest = image.amax((1, 2, 3), keepdim=True)
    return ((image - loudest) / loudest.clamp_min(_FAINTEST)).clamp_min(-1) * floor
