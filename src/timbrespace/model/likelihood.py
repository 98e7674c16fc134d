"""How well an output explains a sound: the reconstruction loss of the families."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

Kind = Annotated[Literal["squared", "mean squared", "absolute", "gaussian", "sigma", "bernoulli"], Field()]
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_LOG_DEVIATION = (-7.0, 3.0)


class Likelihood(nn.Module):
    """kind:

    - "squared": sum of squared errors (source B); "mean squared": mean of them (source C); "absolute": sum of absolute errors
    - "gaussian": negative log likelihood in nats, mean *and* variance of each value decoded (source E)
    - "sigma": the same with one learned variance for all values (sigma-VAE, Rybkin et al. 2021)
    - "bernoulli": cross entropy of values in 0…1, the output taken as logits (source E)
    """

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        if kind == "sigma":
            self.log_deviation = nn.Parameter(torch.zeros(()))

    @property
    def outputs(self) -> int:
        """Numbers that a decoder gives for each value."""
        return 2 if self.kind == "gaussian" else 1

    def mean(self, output: Tensor) -> Tensor:
        """What is expected: `(batch, outputs * parts, …) -> (batch, parts, …)`."""
        if self.kind == "gaussian":
            return output.chunk(2, 1)[0]
        return torch.sigmoid(output) if self.kind == "bernoulli" else output

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """`(batch, outputs * parts, …)` and `(batch, parts, …)` -> `(batch,)`: a sum over values, but "mean squared"."""
        if self.kind == "bernoulli":
            each = functional.binary_cross_entropy_with_logits(output, wanted.clamp(0, 1), reduction="none")
        elif self.kind == "absolute":
            each = (output - wanted).abs()
        elif self.kind in ("gaussian", "sigma"):
            mean, log_deviation = output.chunk(2, 1) if self.kind == "gaussian" else (output, self.log_deviation)
            log_deviation = log_deviation.clamp(*_LOG_DEVIATION)
            each = 0.5 * ((wanted - mean) * torch.exp(-log_deviation)).square() + log_deviation + _HALF_LOG_TAU
        else:
            each = (output - wanted).square()
        return each.flatten(1).mean(1) if self.kind == "mean squared" else each.flatten(1).sum(1)
