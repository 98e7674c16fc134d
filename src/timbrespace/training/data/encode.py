"""Sounds in the form that a model learns from."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.corpus.corpus import Corpus
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.sounds import InMemory, OnDisk, Sounds, table
from timbrespace.training.workspace import Workspace

_AT_ONCE, _AT_ONCE_VALUES = 256, 2**23  # clips, and values in all, encoded together


def learned_sounds(
    model: Model, store: ImageStore, workspace: Workspace, *, conditions: Tensor | None, kinds: Tensor, seed: int,
    counted: Tensor | None = None, fitted: bool = False,
) -> Sounds:  # fmt: skip
    """Returns stored sounds as the model learns them, see `Model.compress`: in memory with a codec in closed form; without one, from disk.

    The codec is fitted once and kept in the working folder. conditions: of all rows, see `row_conditions`. kinds: number of the category
    of each row `(rows,)`. counted `(rows,)` bool: the rows that the codec is fitted to; None: all. fitted: the model has its codec already.
    """
    has_codec = type(model).fit_codec is not Model.fit_codec
    state = workspace.load("codec.pt")
    if state is None and not (fitted and has_codec):
        if counted is None:
            state = model.fit_codec(store.batches, rows=store.rows, lengths=store.lengths, seed=seed)
        else:
            lengths = store.lengths[counted]
            state = model.fit_codec(lambda: store.batches(counted), rows=len(lengths), lengths=lengths, seed=seed)
        if state is None:
            # A copy compresses the rows: training moves the model to a device and changes its weights.
            storing = model.storing
            unchanged = storing if type(storing).compress is Model.compress else copy.deepcopy(storing).requires_grad_(False)
            return OnDisk(store, unchanged.compress, conditions)
        workspace.save("codec.pt", state)
    if state is not None:
        model.load_codec(state)
    values, done = torch.zeros(0), 0
    for batch in map(model.compress, store.batches()):
        values = values if done else table((store.rows, *batch.shape[1:]), workspace.path)
        values[done : done + len(batch)] = batch
        done += len(batch)
    if not fitted:
        model.fit_conditions(values, conditions, kinds)
    return InMemory(values, store.lengths, conditions)


def encode_clips(
    model: Model, corpus: Corpus, clips: list[int], representation: Representation, *, samples: int, folder: Path | None = None
) -> InMemory:  # fmt: skip
    """Returns clips without variations, in the form that the model learns from. folder: for large ones, see `table`."""
    conditions = model.conditioning.of_clips(corpus, clips)
    dataset = ClipDataset(corpus, clips, representation, model, samples=samples, seed=0, conditions=conditions)
    values, lengths = torch.zeros(0), torch.zeros(len(clips), dtype=torch.int64)
    size = max(1, min(_AT_ONCE, _AT_ONCE_VALUES // math.prod(image_shape(model, representation, samples))))
    with Pool(torch.get_num_threads()) as pool:
        for start in range(0, len(clips), size):
            features, some = encode_rows(dataset, list(range(start, min(start + size, len(clips)))), pool)
            batch = model.compress(features)
            values = values if start else table((len(clips), *batch.shape[1:]), folder)
            values[start : start + len(batch)], lengths[start : start + len(batch)] = batch, some
    return InMemory(values, lengths, dataset.row_conditions(len(clips)))


def row_conditions(dataset: ClipDataset, clip_rows: int, rows: int) -> Tensor | None:
    """Returns the conditions of all rows `(rows, conditions)`: NaN beyond the first `clip_rows`, which are synthesised sounds."""
    conditions = dataset.row_conditions(clip_rows)
    return None if conditions is None else torch.cat([conditions, torch.full((rows - clip_rows, conditions.shape[1]), math.nan)])


def row_kinds(categories: Sequence[str | None], clip_rows: int, rows: int) -> Tensor:
    """Returns a number for the category of each row `(rows,)`; categories: of the clips. Rows beyond `clip_rows` are of one more kind."""
    numbers = {category: number for number, category in enumerate(dict.fromkeys(categories))}
    own = torch.tensor([numbers[category] for category in categories])
    return torch.cat([own.repeat(-(-clip_rows // len(own)))[:clip_rows], torch.full((rows - clip_rows,), len(numbers))])


def image_shape(model: Model, representation: Representation, samples: int) -> tuple[int, ...]:
    """Returns the shape of one sound as the model wants it stored."""
    silence = torch.zeros(1, representation.channels, samples)
    return tuple(model.prepare_features(representation.encode(silence)).shape[1:])
