"""Principal components of any number of rows, streamed: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def principal_components(
    batches: Callable[[], Iterator[Tensor]], *, rows: int, count: int, seed: int = 0, passes: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean `(cells,)`, basis `(count, cells)` with orthonormal rows, and standard deviations `(count,)` of `rows` images.

    Randomised subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4): `passes` + 2 times over `batches()`, each an
    iterator of `(some, cells)`. Where there are fewer than `count` directions, the rest of the basis is zero with deviation 0.
    Signs are fixed: the largest element of each row is positive.
    """
    mean = (sum_(batch.sum(0, dtype=torch.float64) for batch in batches()) / rows).float()
    cells = len(mean)
    sketch = min(count + 40, rows, cells)
    basis = torch.randn(cells, sketch, generator=torch.Generator().manual_seed(seed))
    for _ in range(passes + 1):
        basis = torch.linalg.qr(basis)[0]
        # (XᵀX) basis, one batch of X at a time
        basis = sum_(centred.T @ (centred @ basis) for centred in (batch - mean for batch in batches()))
    basis = torch.linalg.qr(basis)[0]
    gram = sum_(scores.T @ scores for scores in ((batch - mean) @ basis for batch in batches()))
    power, rotation = torch.linalg.eigh(gram.double())
    kept = min(count, sketch, max(1, rows - 1))
    power, rotation = power.flip(0)[:kept].clamp_min(0), rotation.flip(1)[:, :kept]
    rows_of_basis = (basis @ rotation.float()).T
    largest = rows_of_basis.gather(1, rows_of_basis.abs().argmax(1, keepdim=True))
    rows_of_basis = rows_of_basis * torch.where(largest < 0, -1.0, 1.0)
    scale = (power / rows).sqrt().float()
    usable = scale > 1e-4 * scale[0].clamp_min(1e-12)
    rows_of_basis[~usable] = 0
    full_basis, full_scale = torch.zeros(count, cells), torch.zeros(count)
    full_basis[:kept], full_scale[:kept] = rows_of_basis, torch.where(usable, scale, 0.0)
    return mean, full_basis, full_scale


def sum_(parts: Iterator[Tensor]) -> Tensor:
    """Sum of tensors, in place on the first: one of them in memory at a time."""
    total = next(parts).clone()
    for part in parts:
        total += part
    return total
