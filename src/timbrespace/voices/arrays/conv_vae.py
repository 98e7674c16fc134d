"""`voices-conv-vae`: one convolutional VAE of all instruments; a voice is a place between the means of their latents (source D)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from timbrespace.voices.arrays.design import Design, Schedule, noise_like
from timbrespace.voices.arrays.layers import Channels, Decoder, Encoder, Latents, Scale, divergence

Beta = Annotated[float, Field(ge=0, le=100)]


class ConvVAE(Design):
    """Five convolutions, 128 latents, their mirror. Translation adds the difference of the mean latents of voice and source.

    latents: size of the latent. channels: of the convolutions, one number a layer. kl: weight of the divergence a latent.
    """

    schedule = Schedule(steps=1_000, batch=8, learning_rate=1e-3)
    means: Tensor

    def __init__(
        self, names: tuple[str, ...], *, latents: Latents = 128, channels: Channels = (8, 16, 32, 64, 64), kl: Beta = 1e-5
    ):  # fmt: skip
        super().__init__(names)
        self.loss_weights = {"reconstruction": 1.0, "kl": kl}
        self.scale = Scale()
        self.encoder, self.decoder = Encoder(channels, latents), Decoder(channels, latents)
        self.register_buffer("means", torch.zeros(len(names), latents))  # of the latents of each instrument

    def prepare(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures mean and deviation of each bin."""
        self.scale.fit(pieces)

    def losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns mean squared error and divergence. batch: `(batch, BINS, FRAMES)` of each instrument."""
        values = torch.cat(list(batch.values()))
        mean, log_variance = self.encoder(self.scale.relative(values))
        z = mean + noise_like(mean, generator) * (log_variance / 2).exp()
        error = (self.scale.absolute(self.decoder(z)) - values).square().mean()
        return {"reconstruction": error, "kl": divergence(mean, log_variance).mean() / mean.shape[1]}

    @torch.no_grad()
    def measure(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Sets the mean latent of each instrument."""
        for number, batches in enumerate(pieces.values()):
            self.means[number] = torch.cat([self.encoder(self.scale.relative(values))[0] for values in batches]).mean(0)

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """See `Design.translate`."""
        z, _ = self.encoder(self.scale.relative(values))
        return self.scale.absolute(self.decoder(z + weights @ self.means - self.means[self.names.index(source)]))
