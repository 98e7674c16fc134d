"""Bottlenecks: from the outputs of an encoder to the latent."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Posterior, kl_to_normal, sample

_CERTAIN = -14.0  # log variance of a latent without noise
Kind = Annotated[Literal["gaussian", "plain", "bounded"], Field()]


class Bottleneck(nn.Module):
    """Maps the `width` outputs of an encoder, `(batch, width)` or `(batch, width, steps)`, to a latent of `dims`.

    kind: "gaussian", a mean and a variance for each dimension (a variational autoencoder); "plain", the outputs; "bounded", tanh of them.
    """

    def __init__(self, kind: str, dims: int):
        super().__init__()
        if kind not in ("gaussian", "plain", "bounded"):
            raise ConfigError(f"bottleneck is {kind!r}, allowed are gaussian, plain, bounded")
        self.kind, self.dims = kind, dims

    @property
    def width(self) -> int:
        """Outputs that the encoder must have."""
        return 2 * self.dims if self.kind == "gaussian" else self.dims

    def posterior(self, numbers: Tensor) -> Posterior:
        """Returns the Posterior `(batch, dims, …)` of encoder outputs `(batch, width, …)`."""
        if self.kind == "gaussian":
            mean, log_variance = numbers.chunk(2, 1)
            return Posterior(mean, log_variance.clamp(_CERTAIN, 8.0))
        mean = torch.tanh(numbers) if self.kind == "bounded" else numbers
        return Posterior(mean, torch.full_like(mean, _CERTAIN))

    def draw(self, posterior: Posterior) -> Tensor:
        """Returns the decoder's input in training, `(batch, dims, …)`: a sample of a Gaussian posterior, else its mean."""
        return sample(posterior) if self.kind == "gaussian" else posterior.mean

    def project(self, z: Tensor) -> Tensor:
        """Returns the nearest latents that `posterior` can give, of the shape of z: a bounded latent is clamped to -1…1."""
        return z.clamp(-1, 1) if self.kind == "bounded" else z

    def losses(self, posterior: Posterior) -> dict[str, Tensor]:
        """Returns {"kl": `(dims,)` in nats a sound} of a Gaussian posterior, else no losses."""
        return {"kl": kl_to_normal(posterior).mean(0)} if self.kind == "gaussian" else {}

    def kl(self, posterior: Posterior) -> Tensor:
        """Returns the KL divergence `(dims,)` in nats a sound, for `evaluate`; zeros without a Gaussian posterior."""
        return kl_to_normal(posterior).mean(0) if self.kind == "gaussian" else posterior.mean.new_zeros(self.dims)
