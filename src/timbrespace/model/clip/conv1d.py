"""`raw`: convolutions along time over the samples themselves (source B's later model)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch
from timbrespace.model.clip.base import Dims, ImageModel
from timbrespace.model.clip.dense import Widths
from timbrespace.model.parts.bottleneck import Kind as BottleneckKind
from timbrespace.model.parts.conv_layers import Activation, Channels, Kernels, Strides, check_stack, fit, in_pieces, layers_of, sizes, stack
from timbrespace.model.parts.layers import perceptron
from timbrespace.model.parts.likelihood import Kind as LikelihoodKind
from timbrespace.model.parts.likelihood import Likelihood
from timbrespace.model.parts.pca_init import carries, initialise_blocks, initialise_deviations, initialise_layers
from timbrespace.representation.spec import FeatureSpec

_TINY = 1e-6  # amplitude of a silent channel


class Raw(ImageModel):
    """Samples -> convolutions -> channels in time, each divided by its peak -> transposed convolutions -> samples.

    As in source B, without padding: 88,200 samples -> 37 channels of 60 steps in -1…1 and 37 amplitudes = 2257 numbers -> 86,888
    samples; the end that the decoder does not reach (here 30 ms) is silence. Any view can be used: its parts and bands are the
    channels of the first layer, its frames are time.

    channels, kernels, strides: one number a layer. activation: between layers. dims: latent size, reached by dense layers of the widths
    `hidden` with ReLU between; null: the code itself is the latent. bottleneck: see
    `Bottleneck`; "gaussian" needs `dims`. The rest: see `ImageModel`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        *,
        dims: Annotated[Dims | None, Field()] = None,
        channels: Channels = (37, 37, 37),
        kernels: Kernels = (40, 28, 20),
        strides: Strides = (16, 11, 8),
        activation: Activation = "none",
        hidden: Widths = (512,),
        bottleneck: BottleneckKind = "plain",
        likelihood: LikelihoodKind = "squared",
    ):
        check_stack(channels, kernels, strides)
        along = sizes(spec.frames, kernels, strides, axis="frames", remedy="or a view with more frames (waveform has one a sample)")
        width, steps = channels[-1], along[-1]
        numbers = width * steps + width
        if dims is None and bottleneck == "gaussian":
            raise ConfigError(
                f"model.bottleneck is 'gaussian' over all {numbers} numbers of the code; allowed without model.dims are plain, bounded: "
                "give model.dims, for instance 32, for a variational autoencoder inside"
            )
        if dims is not None and dims > numbers:
            raise ConfigError(f"model.dims is {dims}, more than the {numbers} numbers of the code; allowed are 1 to {numbers}")
        super().__init__(spec, dims=numbers if dims is None else dims, bottleneck=bottleneck, likelihood=likelihood)
        self.code, self._between = (width, steps), activation
        bounded = bottleneck == "bounded" and dims is None
        self._begins = not bounded and carries(self.likelihood, activation, narrowest=min(channels))
        self._cells = max(count * size for count, size in zip((spec.cells, *channels), along, strict=True))
        self.encoder = stack(nn.Conv1d, (spec.cells, *channels), kernels, strides, between=activation)
        self.decoder = stack(
            nn.ConvTranspose1d, (*channels[::-1], spec.cells * self.likelihood.outputs), kernels[::-1], strides[::-1], between=activation
        )
        self.inner_encoder = nn.Identity() if dims is None else perceptron(numbers, *hidden, self.bottleneck.width)
        self.inner_decoder = nn.Identity() if dims is None else perceptron(dims, *hidden[::-1], numbers)

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Sets convolutions to principal components of blocks, see `initialise_blocks`, and dense layers to those of the code.

        A bounded code keeps its random weights.
        """
        if not self._begins:
            return
        up = layers_of(self.decoder)
        initialise_blocks(layers_of(self.encoder), up, batch.values.flatten(1, 2), activation=self._between)
        if isinstance(self.inner_encoder, nn.Sequential) and isinstance(self.inner_decoder, nn.Sequential):
            initialise_layers(
                self.inner_encoder,
                self.inner_decoder,
                self._shapes(batch.values),
                bottleneck=self.bottleneck,
                likelihood=Likelihood("squared"),
            )
        initialise_deviations(up[-1], self.likelihood, self.residuals(batch))

    def encode_raw(self, images: Tensor) -> Tensor:
        """`(batch, parts, bands, frames) -> (batch, bottleneck.width)`."""
        return self.inner_encoder(self._shapes(images))

    def _shapes(self, images: Tensor) -> Tensor:
        channels = in_pieces(self.encoder, images.flatten(1, 2), cells=self._cells)
        amplitudes = channels.abs().amax(2)
        shapes = channels / amplitudes.clamp_min(_TINY)[..., None]
        return torch.cat([shapes.flatten(1), amplitudes], 1)

    def decode_raw(self, z: Tensor) -> Tensor:
        """`(batch, dims) -> (batch, likelihood.outputs * parts, bands, frames)`."""
        numbers = self.inner_decoder(z)
        width = self.code[0]
        channels = numbers[:, :-width].unflatten(1, self.code) * numbers[:, -width:, None]
        parts, bands, frames = self.spec.shape
        samples = fit(in_pieces(self.decoder, channels, cells=self._cells), (frames,))
        return samples.unflatten(1, (self.likelihood.outputs * parts, bands))
