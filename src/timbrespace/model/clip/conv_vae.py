"""`conv-vae`: strided convolutions over the image, a dense bottleneck, and a mirrored decoder without checkerboard (source D)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims, ImageModel
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.conv_layers import (
    Activation,
    Channels,
    Norm,
    Strides,
    channels_last,
    check_stack,
    fit,
    in_pieces,
    layers_of,
    stack,
)
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.pca import principal, regression
from timbrespace.model.parts.pca_init import as_latents, carries, gain_of, initialise_blocks, initialise_deviations, initialise_rest
from timbrespace.representation.spec import FeatureSpec

_MOST_WEIGHTS = 1 << 28  # of the dense layers either side of the latent


class ConvVAE(ImageModel):
    """Image -> strided convolutions -> dense -> latent -> dense -> transposed convolutions -> image.

    A kernel is twice its stride, with half a stride of padding, so that the decoder covers every cell by the same number of kernels,
    also at the edges (where onsets are): sizes divide evenly, and there is no checkerboard. The image is padded with zeros (silence) to a
    multiple of the product of all strides, and the output is cut back.

    dims: latent size. channels, strides: one number a layer, the same stride on both axes. norm: "group", of every sound by itself
    over groups of channels, or none, which was better on drums; activation: between layers. bottleneck, likelihood: see `Bottleneck`,
    `Likelihood`. The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Dims = 64,
        channels: Channels = (8, 16, 32, 64, 64),
        strides: Strides = (2, 2, 2, 2, 2),
        norm: Norm = "none",
        activation: Activation = "leaky relu",
        bottleneck: BottleneckKind = "gaussian",
        likelihood: LikelihoodKind = "mean squared",
    ):
        parts, bands, frames = spec.shape
        check_stack(channels, [2 * stride for stride in strides], strides)
        if any(stride > 1 and stride % 2 for stride in strides):
            raise ConfigError(f"model.strides is {list(strides)}, allowed are even numbers and 1 for each layer")
        step = math.prod(strides)
        if step > 2 * max(bands, frames):
            raise ConfigError(
                f"model.strides {list(strides)} shrink the image {step} times, and it has {bands} bands and {frames} frames; "
                f"allowed is a product up to {2 * max(bands, frames)}: take fewer layers or smaller strides"
            )
        super().__init__(spec, dims=dims, bottleneck=bottleneck, likelihood=likelihood)
        self._between, self._begins = activation, carries(self.likelihood, activation, norm, narrowest=min(channels))
        self._padded = (-(-bands // step) * step, -(-frames // step) * step)
        self.code = (channels[-1], self._padded[0] // step, self._padded[1] // step)
        cells = math.prod(self.code)
        if (weights := cells * (self.bottleneck.width + dims)) > _MOST_WEIGHTS:
            raise ConfigError(
                f"model.dims {dims} with a code of {' x '.join(map(str, self.code))} needs {weights} weights, allowed are {_MOST_WEIGHTS}; "
                "take larger strides, more layers, fewer channels or a smaller latent"
            )
        self._cells = math.prod(self._padded) * max(parts, channels[0] // strides[0] ** 2, 1)
        kernels = [_kernel(stride) for stride in strides]
        self.encoder = stack(_down, (parts, *channels), kernels, strides, between=activation, normalised=norm, last=True)
        self.to_latent = nn.Linear(cells, self.bottleneck.width)
        self.from_latent = nn.Linear(dims, cells)
        outputs = parts * self.likelihood.outputs
        self.decoder = stack(_up, (*channels[::-1], outputs), kernels[::-1], strides[::-1], between=activation, normalised=norm)

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets the layers to principal components of blocks, see `initialise_blocks`; with a norm or a tanh they stay random."""
        if not self._begins:
            return
        up = layers_of(self.decoder)
        top = initialise_blocks(layers_of(self.encoder), up, fit(batch.values, self._padded), activation=self._between, last=True)
        count = top.shape[1]
        found = principal(top.flatten(1), self.dims)
        weights, constants = as_latents(found, self.bottleneck)
        there, back = self.to_latent.weight.unflatten(1, self.code), self.from_latent.weight.unflatten(0, self.code)
        there[: len(weights)] = 0.0
        shaped = weights.unflatten(1, top.shape[1:])
        there[: len(weights), :count] = shaped / gain_of(self._between)
        if self._between != "none":
            there[: len(weights), count : 2 * count] = -shaped / gain_of(self._between)
        self.to_latent.bias[: len(weights)] = constants
        initialise_rest(self.to_latent, self.encode_raw(batch.values), found, self.bottleneck)
        known = self.posterior(batch).mean[:, : len(weights)]
        weights, constants, _ = regression(known, top.flatten(1))
        back.zero_()
        back[:count, ..., : weights.shape[1]] = weights.unflatten(0, top.shape[1:])
        self.from_latent.bias.unflatten(0, self.code)[:count] = constants.view(top.shape[1:])
        initialise_deviations(up[-1], self.likelihood, self.residuals(batch))

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""
        code = in_pieces(self.encoder, channels_last(fit(images, self._padded)), cells=self._cells)
        return self.to_latent(code.flatten(1))

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""
        code = channels_last(self.from_latent(z).unflatten(1, self.code))
        return fit(in_pieces(self.decoder, code, cells=self._cells), self.spec.shape[1:])


def _kernel(stride: int) -> int:
    return 3 if stride == 1 else 2 * stride


def _down(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    """Returns a layer that divides both axes by the stride exactly."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2)


def _up(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    """Returns a layer that multiplies both axes by the stride exactly; edges are repeated outwards, else they would have half the level.

    Its kernels start as linear interpolation between cells, because images are smooth: 150 steps on drums ended at 8.0 dB with it, at
    9.4 dB with random kernels of the same size.
    """
    layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2 + stride)
    if stride > 1:
        ramp = 1 - (torch.arange(kernel) + 0.5 - stride).abs() / stride
        with torch.no_grad():
            layer.weight.copy_(torch.randn(inputs, outputs, 1, 1) * math.sqrt(2 / inputs) * ramp[:, None] * ramp)
    return nn.Sequential(nn.ReplicationPad2d(1), layer)
