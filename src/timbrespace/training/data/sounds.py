"""Encoded sounds (examples, validation clips) by batches of rows: in memory if they are small, from disk if they are large."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from timbrespace.mapped import mapped
from timbrespace.model.base import Batch
from timbrespace.training.data.image_store import ImageStore

_BATCH, _BATCH_VALUES = 256, 2**21  # most sounds, and values in all, of a batch without gradients: layers need a multiple of this memory
_LARGEST_HELD = 2**25  # bytes of a table in memory; larger ones are files, so that memory does not grow with the corpus
_INITIAL, _INITIAL_VALUES = 1_024, 2**25  # most sounds, and values in all, of the batch that initialises a model


class Sounds(Protocol):
    """The examples that a stage learns from, or encoded validation clips; for a second stage, the codes of these."""

    def __len__(self) -> int:
        """The number of examples."""

    def __getitem__(self, rows: Tensor) -> Batch:
        """The batch of `rows (n,)`."""


@dataclass(frozen=True)
class InMemory:
    """Sounds in memory, or in a `table`. values `(n, …)`, lengths `(n,)` in samples, conditions `(n, conditions)`: see `Batch`."""

    values: Tensor
    lengths: Tensor
    conditions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Tensor) -> Batch:
        conditions = None if self.conditions is None else self.conditions[rows]
        return Batch(self.values[rows], self.lengths[rows], conditions)


@dataclass(frozen=True)
class OnDisk:
    """The rows of an image store; memory does not grow with their number.

    values: stored rows `(n, cells)` -> values of a Batch `(n, …)`, on the CPU. conditions: `(n, conditions)`.
    """

    store: ImageStore
    values: Callable[[Tensor], Tensor]
    conditions: Tensor | None = None

    def __len__(self) -> int:
        return self.store.rows

    def __getitem__(self, rows: Tensor) -> Batch:
        conditions = None if self.conditions is None else self.conditions[rows]
        return Batch(self.values(self.store.take(rows)), self.store.lengths[rows], conditions)


def table(shape: tuple[int, ...], folder: Path | None) -> Tensor:
    """Returns zeros `shape`, float32: in memory up to 32 MB, else mapped from an unnamed file in `folder` that ends with the tensor.

    folder: None for the system's folder for temporary files. Raises TimbrespaceError for a full disk.
    """
    return torch.zeros(shape) if 4 * math.prod(shape) <= _LARGEST_HELD else mapped(shape, folder)


def initial_batch(sounds: Sounds, weights: Tensor | None = None) -> Batch:
    """The batch that initialises a model: up to 1,024 sounds, spread evenly over all. weights: see `spread_rows`."""
    values = sounds[torch.zeros(1, dtype=torch.int64)].values.numel()
    count = min(len(sounds), _INITIAL, max(1, _INITIAL_VALUES // max(1, values)))
    return sounds[spread_rows(len(sounds), count, weights)]


def spread_rows(rows: int, count: int, weights: Tensor | None = None) -> Tensor:
    """`count` of `rows` rows, ascending, spread evenly: `(count,)`. weights `(rows,)`: of the rows; None: all alike.

    With weights a row of much weight may occur twice, and rows of little weight are left out.
    """
    if weights is None:
        return torch.arange(count) * rows // count
    ends = weights.double().cumsum(0)
    return torch.searchsorted(ends, (torch.arange(count) + 0.5) / count * ends[-1]).clamp_max(rows - 1)


def draw_rows(rows: int, count: int, ends: Tensor | None = None) -> Tensor:
    """`count` random rows out of `rows`, drawn with replacement: `(count,)`. ends `(rows,)`: cumulative weights; None: all alike."""
    if ends is None:
        return torch.randint(rows, (count,))
    return torch.searchsorted(ends, torch.rand(count, dtype=torch.float64) * ends[-1], right=True).clamp_max(rows - 1)


def batches_of(sounds: Sounds, rows: int | Tensor) -> Iterator[Batch]:
    """The first `rows` sounds, or those of `rows (n,)`, in batches small enough for any model's memory."""
    chosen = torch.arange(rows) if isinstance(rows, int) else rows
    values = sounds[chosen[:1]].values.numel()
    for some in chosen.split(max(1, min(_BATCH, _BATCH_VALUES // max(1, values)))):
        yield sounds[some]
