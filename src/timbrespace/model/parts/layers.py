"""Small building blocks that several models share."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """x + MLP(LayerNorm(x)); the MLP of a new block gives zeros. dropout: share of inner units set to zero in training."""

    def __init__(self, width: int, *, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, width) -> (batch, width)`."""
        inner = functional.gelu(self.inner(self.norm(x)))
        return x + self.outer(functional.dropout(inner, self.dropout, self.training))


class ResidualMLP(nn.Module):
    """Linear, `depth` residual blocks, norm, linear. A new one gives zeros, so that a path in parallel decides alone."""

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, dropout=dropout) for _ in range(depth)))
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(width, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, inputs) -> (batch, outputs)`."""
        return self.last(self.norm(self.blocks(self.first(x))))


def perceptron(*widths: int) -> nn.Sequential:
    """Returns linear layers from the first of `widths` to the last, with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Layers(BaseModel):
    """Hidden layers as two numbers, see `interpolated`: `layers: {depth: 3, ratio: 0.25}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    depth: Annotated[int, Field(ge=0, le=16)] = 3
    ratio: Annotated[float, Field(gt=0, le=16)] = 0.25


def hidden(layers: Layers | Mapping[str, Any] | None, start: int, end: int) -> tuple[int, ...] | None:
    """Returns widths of the hidden layers between `start` and `end`; None if `layers` is None."""
    if layers is None:
        return None
    chosen = layers if isinstance(layers, Layers) else Layers(**layers)
    return interpolated(start, end, chosen.depth, chosen.ratio)


def interpolated(start: int, end: int, depth: int, ratio: float) -> tuple[int, ...]:
    """Returns `depth` widths between `start` and `end`: the k-th is start + (end - start) · (k / (depth + 1))^ratio, rounded towards zero.

    ratio 1 is a straight line; below 1 widths change most in the first layers, above 1 in the last. Source B's inner VAE, 6300 to 7
    over 1850, 1008 and 443, is depth 3 and ratio 0.25.
    """
    places = ((k / (depth + 1)) ** ratio for k in range(1, depth + 1))
    return tuple(max(1, int(start + (end - start) * place + 1e-6)) for place in places)
