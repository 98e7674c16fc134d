"""Companding by mu-law: quiet values are spread, loud ones are drawn together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MU = 255.0  # of telephony, and the default


def compand(values: Tensor, *, mu: float = MU) -> Tensor:
    """Returns samples or amplitudes companded by mu-law, sign(x) · ln(1 + mu |x|) / ln(1 + mu), of the same shape; 1 stays 1."""
    return values.sign() * torch.log1p(mu * values.abs()) / math.log1p(mu)


def compand_magnitude(magnitude: Tensor, *, mu: float) -> Tensor:
    """Returns `compand` of values from 0 up, of the same shape."""
    return torch.log1p(mu * magnitude) / math.log1p(mu)


def expand_magnitude(values: Tensor, *, mu: float) -> Tensor:
    """Returns the magnitudes of companded values from 0 up, of the same shape: the inversion of `compand_magnitude`."""
    return torch.expm1(values * math.log1p(mu)) / mu
