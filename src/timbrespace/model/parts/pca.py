"""Principal components and least squares of values that fit into memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_RIDGE = 1e-4  # of the mean power of the inputs of a regression
_LEAST = 1e-3  # of the strongest component's deviation: weaker ones are left out
_VECTORS = 20_000  # used for principal components, at most
_AT_ONCE = 1 << 22  # values of a product in memory


class Components(NamedTuple):
    """Mean `(cells,)`, orthonormal rows `(count, cells)`, strongest first, and standard deviations `(count,)`."""

    mean: Tensor
    basis: Tensor
    scale: Tensor


def principal(values: Tensor, count: int, *, mean: Tensor | None = None) -> Components:
    """Returns exact principal components of `values (n, cells)`: up to `count`, fewer where there are fewer directions.

    mean: subtracted from the values; their own mean by default. Uses the smaller of the two products of `values` with itself.
    """
    values = evenly(values, _VECTORS)
    mean = values.mean(0) if mean is None else mean
    n, cells = values.shape
    if not count:
        return Components(mean, values[:0], values.new_zeros(0))
    few = n < cells
    product = torch.zeros(min(n, cells), min(n, cells), dtype=torch.float64)
    for some in torch.arange(cells if few else n).split(max(1, _AT_ONCE // min(n, cells))):
        part = values[:, some] - mean[some] if few else values[some] - mean
        product += part @ part.T if few else part.T @ part  # each in single precision, their sum in double
    power, vectors = torch.linalg.eigh(product)
    power, vectors = power.flip(0)[:count].clamp_min(0), vectors.flip(1)[:, :count]
    usable = power.sqrt() > _LEAST * power[0].sqrt().clamp_min(1e-12)
    power, vectors = power[usable], vectors[:, usable]
    if few:  # (X - mean)ᵀ v / |…|
        vectors = vectors.float()
        basis = (values.T @ vectors - mean[:, None] * vectors.sum(0)) / power.sqrt().float()
    else:
        basis = vectors.float()
    largest = basis.gather(0, basis.abs().argmax(0, keepdim=True)) if len(power) else basis.new_ones(1, 0)
    return Components(mean, (basis * largest.sign()).T.contiguous(), (power / n).sqrt().float())


def regression(known: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns weights `(cells, k)`, constants `(cells,)` and residuals `(cells,)` of least squares: wanted ≈ weights · known + constants.

    known: `(n, k)`. wanted: `(n, cells)`. Residuals are root mean squares over the n rows.
    """
    from_mean = (known - known.mean(0)).double()
    power = from_mean.T @ from_mean
    power += _RIDGE * power.diagonal().mean().clamp_min(1e-12) * torch.eye(len(power), dtype=power.dtype)
    weights, residuals = torch.empty(wanted.shape[1], known.shape[1]), torch.empty(wanted.shape[1])
    mean = wanted.mean(0)
    solved = torch.linalg.solve(power, from_mean.T).float()  # (k, n)
    for some in torch.arange(wanted.shape[1]).split(max(1, _AT_ONCE // len(wanted))):
        centred = wanted[:, some] - mean[some]
        weights[some] = (solved @ centred).T
        residuals[some] = (centred - from_mean.float() @ weights[some].T).square().mean(0).sqrt()
    return weights, mean - weights @ known.mean(0), residuals


def evenly(values: Tensor, most: int) -> Tensor:
    """Returns up to `most` rows of `values (n, …)`, one of each of `most` equal ranges of rows, always the same.

    The row within its range is random: at even steps through a grid of sounds and frames, all rows might be of the same frame.
    """
    if len(values) <= most:
        return values
    drawn = torch.rand(most, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return values[((torch.arange(most) + drawn) * len(values) / most).long().clamp_max(len(values) - 1)]
