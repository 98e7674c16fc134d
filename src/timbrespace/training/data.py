"""Encoded sounds as the loop takes them: in memory where they are small, from disk where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.training.images import ImageStore
from timbrespace.training.loop import Sounds


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


def batches_of(sounds: Sounds, count: int, *, at_once: int = 256) -> list[Batch]:
    """The first `count` sounds in batches."""
    return [sounds[rows] for rows in torch.arange(count).split(at_once)]
