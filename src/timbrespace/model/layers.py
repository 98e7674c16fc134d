"""Small building blocks that several models share."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """x + MLP(LayerNorm(x)), zero at the start: a new block changes nothing. dropout: share of inner units left out while learning."""

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
    """Linear, `depth` residual blocks, norm, linear; gives zeros at the start, so that what stands beside it leads."""

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
    """Linear layers from the first of `widths` to the last, ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
