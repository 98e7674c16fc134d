"""The codes that a trained outer model gives for the sounds of a training: what the inner model learns from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.model.base import Batch
from timbrespace.model.stage import CodeSource
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.sounds import InMemory, OnDisk, Sounds, batches_of, spread_rows, table
from timbrespace.training.distributed import rank_zero_first
from timbrespace.training.workspace import StateFolder

_STATISTICS_SOUNDS = 4_096  # evenly spread, at most
_LARGEST = 6e4  # the largest number that half precision holds, about
_STATISTICS, _VALIDATION = "codes.pt", "validation.pt"  # states in the folder


@dataclass(frozen=True)
class CodeSets:
    """Standardised codes of all examples, from disk, and of the validation clips; each sound's of the shape `code_shape`."""

    learned: Sounds
    validation: Sounds
    store: ImageStore


@dataclass(frozen=True)
class WithCodes:
    """Sounds whose batches also have their codes, so that these are not made again. codes: of the same rows."""

    sounds: Sounds
    codes: Sounds

    def __len__(self) -> int:
        return len(self.sounds)

    def __getitem__(self, rows: Tensor) -> Batch:
        return self.sounds[rows]._replace(codes=self.codes[rows].values)


def encode_codes(
    source: CodeSource, sounds: Sounds, validation: Sounds, *, fabric: Fabric, folder: StateFolder, keep: bool,
    progress: Callable[[int, int], None], weights: Tensor | None = None,
) -> CodeSets:  # fmt: skip
    """The codes of sounds and of validation clips; fixes the statistics that standardise them first.

    folder: where the codes of sounds are kept, with `keep` also those of validation clips; codes found there are used. progress: called
    with the number of sounds done and in all. weights: of the sounds, see `spread_rows`.
    """
    encoder = _Encoder(source, fabric, folder)
    store = rank_zero_first(fabric, lambda: encoder.stored(sounds, progress, weights))
    held = rank_zero_first(fabric, lambda: encoder.kept(validation)) if keep else encoder.in_memory(validation)
    return CodeSets(OnDisk(store, encoder.shaped), held, store)


@torch.no_grad()
def code_statistics(source: CodeSource, sounds: Sounds, *, device: torch.device, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every code value, of the shape of a sound's codes, over up to 4,096 sounds spread over all.

    weights: of the sounds, see `spread_rows`.
    """
    count = min(len(sounds), _STATISTICS_SOUNDS)
    total = torch.zeros(source.code_shape, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for batch in batches_of(sounds, spread_rows(len(sounds), count, weights)):
        codes = source.raw_codes(batch.to(device)).cpu().double()
        total += codes.sum(0)
        squares += codes.square().sum(0)
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()


class _Encoder:
    """Makes and keeps codes of sounds."""

    def __init__(self, source: CodeSource, fabric: Fabric, folder: StateFolder):
        self.source, self.fabric, self.folder = source, fabric, folder

    def stored(self, sounds: Sounds, progress: Callable[[int, int], None], weights: Tensor | None = None) -> ImageStore:
        """The codes of all sounds on disk; fixes the statistics that standardise them first."""
        statistics = self.folder.load(_STATISTICS)
        if statistics is None:
            mean, deviation = code_statistics(self.source, sounds, device=self.fabric.device, weights=weights)
            statistics = {"mean": mean, "deviation": deviation}
            self.folder.save(_STATISTICS, statistics)
        self.source.set_codes(statistics["mean"], statistics["deviation"])
        path = self.folder.path / "codes"
        path.mkdir(exist_ok=True)
        store = ImageStore(path, rows=len(sounds), cells=math.prod(self.source.code_shape))

        def rows(numbers: list[int]) -> tuple[Tensor, Tensor]:
            batch = self._encode(sounds[torch.tensor(numbers)])
            return batch.values.flatten(1), batch.lengths

        store.fill(rows, progress=progress)
        return store

    def shaped(self, rows: Tensor) -> Tensor:
        """Stored codes `(n, values)` in the shape of a sound's codes, `(n, *code_shape)`."""
        return rows.unflatten(1, self.source.code_shape)

    def kept(self, sounds: Sounds) -> InMemory:
        """The codes of validation clips, as stored, or made and stored."""
        state = self.folder.load(_VALIDATION)
        if state is not None:
            return InMemory(state["values"], state["lengths"])
        made = self.in_memory(sounds)
        self.folder.save(_VALIDATION, {"values": made.values, "lengths": made.lengths})
        return made

    def in_memory(self, sounds: Sounds) -> InMemory:
        """The codes of other sounds."""
        values, lengths, done = torch.zeros(0), torch.zeros(len(sounds), dtype=torch.int64), 0
        for batch in map(self._encode, batches_of(sounds, len(sounds))):
            rows = slice(done, done + len(batch.lengths))
            values = values if done else table((len(sounds), *batch.values.shape[1:]), self.folder.path)
            values[rows], lengths[rows], done = batch.values, batch.lengths, rows.stop
        return InMemory(values, lengths)

    @torch.no_grad()
    def _encode(self, batch: Batch) -> Batch:
        """Sounds -> standardised codes `(batch, *code_shape)`, on the CPU."""
        codes = self.source.codes(batch.to(self.fabric.device)).to(torch.device("cpu"))
        return Batch(codes.values.clamp(-_LARGEST, _LARGEST), codes.lengths)
