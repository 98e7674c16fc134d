"""`voices-multi-encoder`: a VAE with an encoder for each instrument and one decoder (source D)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from timbrespace.voices.arrays.conv_vae import Beta
from timbrespace.voices.arrays.design import Design, Schedule, noise_like
from timbrespace.voices.arrays.layers import Channels, Decoder, Encoder, Latents, Scale, divergence


class MultiEncoder(Design):
    """An encoder for each instrument, one decoder. A voice blends what the encoders make of the same piece.

    An encoder has seen its own instrument alone: whatever it is given, it describes as sounds of that one. latents, channels, kl: see
    `ConvVAE`.
    """

    schedule = Schedule(steps=1_000, batch=8, learning_rate=1e-3)

    def __init__(
        self, names: tuple[str, ...], *, latents: Latents = 128, channels: Channels = (8, 16, 32, 64, 64), kl: Beta = 1e-5
    ):  # fmt: skip
        super().__init__(names)
        self.loss_weights = {"reconstruction": 1.0, "kl": kl}
        self.scale = Scale()
        self.encoders = nn.ModuleList(Encoder(channels, latents) for _ in names)
        self.decoder = Decoder(channels, latents)

    def prepare(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures mean and deviation of each bin."""
        self.scale.fit(pieces)

    def losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns mean squared error and divergence, each instrument by its own encoder. batch: `(batch, BINS, FRAMES)` of each one."""
        found = [encoder(self.scale.relative(batch[name])) for name, encoder in zip(self.names, self.encoders, strict=True)]
        mean, log_variance = (torch.cat(parts) for parts in zip(*found, strict=True))
        z = mean + noise_like(mean, generator) * (log_variance / 2).exp()
        error = (self.scale.absolute(self.decoder(z)) - torch.cat([batch[name] for name in self.names])).square().mean()
        return {"reconstruction": error, "kl": divergence(mean, log_variance).mean() / mean.shape[1]}

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """See `Design.translate`."""
        given = self.scale.relative(values)
        z = torch.stack([weights[:, number, None] * encoder(given)[0] for number, encoder in enumerate(self.encoders)]).sum(0)
        return self.scale.absolute(self.decoder(z))
