"""Bottlenecks: what stands between an encoder's numbers and the latent."""

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
    """From the `width` numbers of an encoder, `(batch, width)` or `(batch, width, steps)`, to a latent of `dims`.

    kind: "gaussian", a mean and a variance each (a variational autoencoder); "plain", the numbers themselves; "bounded", the same in -1…1.
    """

    def __init__(self, kind: str, dims: int):
        super().__init__()
        if kind not in ("gaussian", "plain", "bounded"):
            raise ConfigError(f"bottleneck is {kind!r}, allowed are gaussian, plain, bounded")
        self.kind, self.dims = kind, dims

    @property
    def width(self) -> int:
        """Numbers wanted from the encoder."""
        return 2 * self.dims if self.kind == "gaussian" else self.dims

    def posterior(self, numbers: Tensor) -> Posterior:
        """`(batch, width, …)` -> Posterior `(batch, dims, …)`."""
        if self.kind == "gaussian":
            mean, log_variance = numbers.chunk(2, 1)
            return Posterior(mean, log_variance.clamp(_CERTAIN, 8.0))
        mean = torch.tanh(numbers) if self.kind == "bounded" else numbers
        return Posterior(mean, torch.full_like(mean, _CERTAIN))

    def draw(self, posterior: Posterior) -> Tensor:
        """What the decoder learns from, `(batch, dims, …)`: a draw where there is a variance."""
        return sample(posterior) if self.kind == "gaussian" else posterior.mean

    def project(self, z: Tensor) -> Tensor:
        """The nearest latents that `posterior` could have given, of the shape of z: those out of -1…1 are brought back if bounded."""
        return z.clamp(-1, 1) if self.kind == "bounded" else z

    def losses(self, posterior: Posterior) -> dict[str, Tensor]:
        """kl `(dims,)` in nats a sound where there is a variance."""
        return {"kl": kl_to_normal(posterior).mean(0)} if self.kind == "gaussian" else {}

    def kl(self, posterior: Posterior) -> Tensor:
        """The figure of a check, `(dims,)`: zeros where nothing is drawn."""
        return kl_to_normal(posterior).mean(0) if self.kind == "gaussian" else posterior.mean.new_zeros(self.dims)
