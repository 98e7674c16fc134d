"""`conv`: convolutions over the image and their transposed mirror (source B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch
from timbrespace.model.clip.base import ImageModel
from timbrespace.model.parts.conv_layers import (
    Activation,
    Channels,
    Kernels,
    Norm,
    Strides,
    channels_last,
    check_stack,
    fit,
    in_pieces,
    layers_of,
    least,
    mirrored,
    sizes,
    stack,
)
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca_init import carries, initialise_blocks, initialise_deviations
from timbrespace.representation.spec import FeatureSpec

_MOST_PADDING = 8  # times the size of the image
MOST_NUMBERS = 1 << 17  # of a code: beyond, an instrument would be larger than its sounds


class Conv(ImageModel):
    """Image -> convolutions -> code, which is the latent -> transposed convolutions -> image.

    As in source B, without padding: 1025 x 83 -> 20 x 63 x 5 = 6300 numbers -> 1011 x 83. The end of an axis beyond the decoder's
    reach (here the 14 highest bins) is zero: silence. `dims` follows from the settings and the size of the image.

    channels, kernels, strides: one number a layer; kernels are square. activation, norm ("group" or none): between layers. pad: the
    image with zeros: "short", where it is shorter than the layers need; "whole", so that all cells are coded and decoded; "none": raise an
    error for short images. bottleneck: "plain" or "bounded"; so long a code cannot be sampled well, so nest a variational autoencoder
    in it (model `staged`). The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        channels: Channels = (20, 20, 20, 20, 20),
        kernels: Kernels = (4, 2, 2, 2, 2),
        strides: Strides = (1, 2, 2, 2, 2),
        activation: Activation = "none",
        norm: Norm = "none",
        pad: Annotated[Literal["none", "short", "whole"], Field()] = "short",
        bottleneck: Annotated[Literal["plain", "bounded"], Field()] = "plain",
        likelihood: LikelihoodKind = "squared",
    ):
        check_stack(channels, kernels, strides)
        parts, bands, frames = spec.shape
        if str(bottleneck) not in ("plain", "bounded"):
            raise ConfigError(
                f"model.bottleneck is {bottleneck!r}, allowed are plain, bounded; a variational autoencoder goes inside (model `staged`)"
            )
        if pad not in ("none", "short", "whole"):
            raise ConfigError(f"model.pad is {pad!r}, allowed are none, short, whole")
        seen = [_padded_size(size, kernels, strides, pad=pad) for size in (bands, frames)]
        remedy = "a view with more {}" + (", or model.pad=short" if pad == "none" else "")
        along = [
            sizes(size, kernels, strides, axis=axis, remedy=remedy.format(axis))
            for size, axis in zip(seen, ("bands", "frames"), strict=True)
        ]
        code = (channels[-1], along[0][-1], along[1][-1])
        dims = code[0] * code[1] * code[2]
        if dims > MOST_NUMBERS:
            raise ConfigError(
                f"model.channels {list(channels)} with strides {list(strides)} give a code of {dims} numbers, "
                f"allowed are up to {MOST_NUMBERS}; take larger strides, more layers or fewer channels"
            )
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self.code, self._seen = code, (seen[0], seen[1])
        self._between = activation
        self._begins = bottleneck == "plain" and carries(self.likelihood, activation, norm, narrowest=min(channels))
        layers = zip((parts, *channels), along[0], along[1], strict=True)
        self._cells = max(width * high * wide for width, high, wide in layers)  # of the widest layer
        self.encoder = stack(nn.Conv2d, (parts, *channels), kernels, strides, between=activation, normalised=norm)
        self.decoder = stack(
            nn.ConvTranspose2d, (*channels[::-1], parts * self.likelihood.outputs), kernels[::-1], strides[::-1],
            between=activation, normalised=norm,
        )  # fmt: skip

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of blocks, see `initialise_blocks`; bounded codes and layers with a norm stay random."""
        if not self._begins:
            return
        down, up = layers_of(self.encoder), layers_of(self.decoder)
        initialise_blocks(down, up, fit(batch.values, self._seen), activation=self._between)
        initialise_deviations(up[-1], self.likelihood, self.residuals(batch))

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, dims)`."""
        return in_pieces(self.encoder, channels_last(fit(images, self._seen)), cells=self._cells).flatten(1)

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""
        return fit(in_pieces(self.decoder, channels_last(z.unflatten(1, self.code)), cells=self._cells), self.spec.shape[1:])


def _padded_size(size: int, kernels: Sequence[int], strides: Sequence[int], *, pad: str) -> int:
    """Returns the padded size of an axis of `size` cells; `size` itself where nearly all would be padding, which `sizes` refuses."""
    shortest = least(kernels, strides)
    if pad == "none" or shortest > _MOST_PADDING * size:
        return size
    if pad == "short":
        return max(size, shortest)
    code = 1
    while mirrored(code, kernels, strides) < size:
        code += 1
    return mirrored(code, kernels, strides)
