"""Convolutions of the designs: from a spectrogram to a vector, and from a vector to a spectrogram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.design import BINS, FRAMES

Channels = Annotated[tuple[Annotated[int, Field(ge=1, le=1_024)], ...], Field(min_length=1, max_length=7)]
Latents = Annotated[int, Field(ge=1, le=4_096)]
MOST_LOG_VARIANCE = 6.0
_LEAST_DEVIATION = 0.01
_MOST_WEIGHTS = 1 << 28  # of a dense layer


class Scale(nn.Module):
    """Mean and deviation of each bin, over instruments with equal shares: networks see and give values relative to them."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BINS, 1))
        self.register_buffer("deviation", torch.ones(BINS, 1))

    def fit(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures them. pieces: batches `(batch, BINS, FRAMES)` of each instrument."""
        means, squares = [], []
        for batches in pieces.values():
            found = [(len(values), values.mean((0, 2)), values.square().mean((0, 2))) for values in batches]
            count = sum(size for size, _, _ in found)
            means.append(torch.stack([size * mean for size, mean, _ in found]).sum(0) / count)
            squares.append(torch.stack([size * square for size, _, square in found]).sum(0) / count)
        mean = torch.stack(means).mean(0)
        self.mean.copy_(mean[:, None])
        self.deviation.copy_((torch.stack(squares).mean(0) - mean.square()).clamp_min(_LEAST_DEVIATION**2).sqrt()[:, None])

    def relative(self, values: Tensor) -> Tensor:
        """Returns values relative to mean and deviation, `(batch, BINS, FRAMES)`."""
        return (values - self.mean) / self.deviation

    def absolute(self, relative: Tensor) -> Tensor:
        """Returns the inverse of `relative`, `(batch, BINS, FRAMES)`."""
        return relative * self.deviation + self.mean


class Encoder(nn.Module):
    """A convolution of stride 2 for each of `channels`, then a dense layer to mean and log variance of the latent. planes: of its input."""

    def __init__(self, channels: tuple[int, ...], latents: int, *, planes: int = 1):
        super().__init__()
        self.latents = latents
        layers: list[nn.Module] = []
        for inputs, outputs in zip((planes, *channels), channels, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.to_latent = nn.Linear(math.prod(code_shape(channels, latents)), 2 * latents)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and log variance, `(batch, latents)` each, of `(batch, BINS, FRAMES)` or `(batch, planes, BINS, FRAMES)`."""
        images = (values if values.ndim == 4 else values[:, None]).contiguous(memory_format=torch.channels_last)
        mean, log_variance = self.to_latent(self.layers(images).flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, MOST_LOG_VARIANCE)


class Decoder(nn.Module):
    """The mirror of `Encoder`, `(batch, latents) -> (batch, BINS, FRAMES)`. Kernels start as linear interpolation: images are smooth."""

    def __init__(self, channels: tuple[int, ...], latents: int):
        super().__init__()
        self.code = code_shape(channels, latents)
        self.from_latent = nn.Linear(latents, math.prod(self.code))
        layers: list[nn.Module] = []
        for inputs, outputs in zip(channels[::-1], (*channels[-2::-1], 1), strict=True):
            layers += [nn.LeakyReLU(0.2), _up(inputs, outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Returns `(batch, BINS, FRAMES)`, not limited to 0 to 1."""
        code = self.from_latent(z).unflatten(1, self.code).contiguous(memory_format=torch.channels_last)
        return self.layers(code)[:, 0]


def code_shape(channels: tuple[int, ...], latents: int) -> tuple[int, int, int]:
    """Returns the shape of the last layer of an `Encoder`. Raises ConfigError for dense layers that no memory holds."""
    shape = (channels[-1], BINS >> len(channels), FRAMES >> len(channels))
    if (weights := 2 * latents * math.prod(shape)) > _MOST_WEIGHTS:
        raise ConfigError(
            f"channels {list(channels)} with {latents} latents need {weights:,} weights in one layer, allowed are {_MOST_WEIGHTS:,}; "
            "take more layers, fewer channels in the last one, or fewer latents"
        )
    return shape


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Returns the Kullback–Leibler divergence from the standard normal distribution `(batch,)`, of `(batch, latents)` each."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def _up(inputs: int, outputs: int) -> nn.Module:
    """A layer that doubles both axes; edges are repeated outwards, else they would have half the level."""
    layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=3)
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.randn(inputs, outputs, 1, 1) * math.sqrt(2 / inputs) * ramp[:, None] * ramp)
    return nn.Sequential(nn.ReplicationPad2d(1), layer)
