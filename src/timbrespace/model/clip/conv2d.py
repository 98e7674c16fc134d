"""`conv`: a few convolutions over the picture and their transposed mirror, without anything else (source B)."""

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

_MOST_FILLING = 8  # times as long as the sound itself
MOST_NUMBERS = 1 << 17  # of a code: beyond, an instrument would be larger than its sounds


class Conv(ImageModel):
    """Image -> convolutions -> code, which is the latent -> transposed convolutions -> image.

    As source B has it, without padding: 1025 x 83 -> 20 x 63 x 5 = 6300 numbers -> 1011 x 83, and what the mirror does not give back at
    the end of either axis (here the 14 highest bins) is zero: silence. `dims` follows from the settings and the size of the image.

    channels, kernels, strides: one number a layer; kernels are square. activation, norm ("group" or none): between layers. pad: fill the
    image up with zeros first: "short", where it is shorter than the layers need; "whole", so that every cell goes in and comes back;
    "none", refuse short ones. bottleneck: "plain" or "bounded"; a code this long is no latent to draw from at will, so put a variational
    autoencoder inside. The rest: see `ImageModel`.
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
        seen = [_filled(size, kernels, strides, pad=pad) for size in (bands, frames)]
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
        """As principal components of blocks, see `initialise_blocks`; codes with bounds, and layers that are not linear, stay as drawn."""
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


def _filled(size: int, kernels: Sequence[int], strides: Sequence[int], *, pad: str) -> int:
    """What `size` cells of an axis are filled up to; settings that would see next to nothing but filling are left to be refused."""
    shortest = least(kernels, strides)
    if pad == "none" or shortest > _MOST_FILLING * size:
        return size
    if pad == "short":
        return max(size, shortest)
    code = 1
    while mirrored(code, kernels, strides) < size:
        code += 1
    return mirrored(code, kernels, strides)
