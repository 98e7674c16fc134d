"""Small building blocks that several models share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """x + MLP(LayerNorm(x)), zero at the start so that a new block changes nothing."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, width) -> (batch, width)`."""
        return x + self.outer(functional.gelu(self.inner(self.norm(x))))


class ResidualMLP(nn.Module):
    """Linear, `depth` residual blocks, norm, linear; gives zeros at the start, so that what stands beside it leads."""

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(depth)))
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(width, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, inputs) -> (batch, outputs)`."""
        return self.last(self.norm(self.blocks(self.first(x))))
