"""`dense`: fully connected layers there and back (source C; source E's single layer)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims, ImageModel
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.layers import Layers, hidden, perceptron
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca_init import initialise_layers
from timbrespace.representation.spec import FeatureSpec

Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(max_length=16)]


class Dense(ImageModel):
    """Image -> encoder layers -> latent -> decoder layers -> image, ReLU between.

    encoder, decoder: widths of the hidden layers. layers: both from two numbers instead, see `interpolated`. sigmoid: ends in a sigmoid,
    for images in 0…1. The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 128,
        encoder: Widths = (256, 256),
        decoder: Widths = (256, 256),
        layers: Annotated[Layers | None, Field()] = None,
        sigmoid: Annotated[bool, Field()] = True,
        bottleneck: BottleneckKind = "gaussian",
        likelihood: LikelihoodKind = "mean squared",
    ):
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        cells = spec.cells * spec.frames
        if (found := hidden(layers, cells, dims)) is not None:
            encoder, decoder = found, found[::-1]
        self.sigmoid = sigmoid and likelihood != "bernoulli"  # whose mean is a sigmoid of the output anyway
        self.encoder = perceptron(cells, *encoder, self.bottleneck.width)
        self.decoder = perceptron(dims, *decoder, cells * self.likelihood.outputs)

    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of the images, see `initialise_layers`."""
        initialise_layers(
            self.encoder,
            self.decoder,
            batch.values.flatten(1),
            bottleneck=self.bottleneck,
            likelihood=self.likelihood,
            sigmoid=self.sigmoid,
        )

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""
        return self.encoder(images.flatten(1))

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""
        parts, bands, frames = self.spec.shape
        output = self.decoder(z).unflatten(1, (self.likelihood.outputs * parts, bands, frames))
        if not self.sigmoid:
            return output
        mean, rest = output[:, :parts], output[:, parts:]  # log deviations are not limited to 0…1
        return torch.cat([torch.sigmoid(mean), rest], 1)
