"""One dict of losses, one dict of weights, the same keys, summed once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def total(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The weighted sum; "kl" `(dims,)` counts as its sum over dimensions. Raises KeyError for a loss without a weight."""
    missing = sorted(losses.keys() - weights.keys())
    if missing:
        raise KeyError(f"losses {missing} have no weight; there are weights for {sorted(weights)}")
    return torch.stack([weights[key] * loss.sum() for key, loss in losses.items()]).sum()
