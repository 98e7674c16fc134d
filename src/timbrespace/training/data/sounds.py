"""Encoded sounds as the loop takes them: in memory where they are small, from disk where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.training.data.image_store import ImageStore

_TOGETHER, _VALUES = 256, 2**21  # sounds, and values of theirs, that go through a model at once without gradients: its layers take more

_BEGUN_WITH, _BEGUN_VALUES = 1_024, 2**25  # sounds, and values of theirs, that a model is begun with


class Sounds(Protocol):
    """Encoded sounds to learn from."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, rows: Tensor) -> Batch:
        """Those of `rows (n,)`."""


@dataclass(frozen=True)
class InMemory:
    """values `(n, …)` in the model's own form, true lengths `(n,)` in samples, pitches `(n,)`, facts `(n, conditions)`: see `Batch`."""

    values: Tensor
    lengths: Tensor
    pitches: Tensor | None = None
    facts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Tensor) -> Batch:
        pitches, facts = (None if known is None else known[rows] for known in (self.pitches, self.facts))
        return Batch(self.values[rows], self.lengths[rows], pitches, facts)


@dataclass(frozen=True)
class OnDisk:
    """The rows of an image store, each as a tensor of `shape`: memory stays flat however many there are. facts: as `InMemory`."""

    store: ImageStore
    shape: tuple[int, ...]
    facts: Tensor | None = None

    def __len__(self) -> int:
        return self.store.rows

    def __getitem__(self, rows: Tensor) -> Batch:
        facts = None if self.facts is None else self.facts[rows]
        return Batch(self.store.take(rows).unflatten(1, self.shape), self.store.lengths[rows], facts=facts)


def spread(sounds: Sounds) -> Batch:
    """As many sounds as a model is begun with, spread evenly over all."""
    values = sounds[torch.zeros(1, dtype=torch.int64)].values.numel()
    count = min(len(sounds), _BEGUN_WITH, max(1, _BEGUN_VALUES // max(1, values)))
    return sounds[torch.arange(count) * len(sounds) // count]


def batches_of(sounds: Sounds, rows: int | Tensor) -> Iterator[Batch]:
    """The first sounds, or those of `rows (n,)`, in batches small enough for any model's memory."""
    chosen = torch.arange(rows) if isinstance(rows, int) else rows
    values = sounds[chosen[:1]].values.numel()
    for some in chosen.split(max(1, min(_TOGETHER, _VALUES // max(1, values)))):
        yield sounds[some]
