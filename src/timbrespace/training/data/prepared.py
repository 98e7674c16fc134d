"""What a training knows before it encodes its sounds: the corpus, how much each clip counts, settings, and the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.config.schema import Config
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepared.weights import counted_clips
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.training.workspace import Plan


@dataclass(frozen=True)
class Prepared:
    """The corpus, its training clips, the settings with every "auto" resolved, the fitted representation and the untrained model.

    weights: of every clip of the corpus, see `corpus.prepared.weights`. stored_shape: of one sound in the image store, see
    `Model.prepare_features`.
    """

    corpus: Corpus
    clips: list[int]
    weights: list[float]
    config: Config
    representation: Representation
    model: Model
    stored_shape: tuple[int, ...]
    plan: Plan

    @property
    def categories(self) -> list[str | None]:
        """The category of each training clip."""
        return [self.corpus.clips[i].category for i in self.clips]

    def counted(self, clips: list[int]) -> list[int]:
        """Those of `clips` that statistics are computed of: few of a long file, see `counted_clips`."""
        return counted_clips(clips, [clip.file for clip in self.corpus.clips], self.weights)

    @property
    def counted_rows(self) -> list[int] | None:
        """The counted training clips as positions in `clips`; None: all count."""
        if all(self.weights[i] == 1 for i in self.clips):
            return None
        kept = set(self.counted(self.clips))
        return [row for row, clip in enumerate(self.clips) if clip in kept]

    def row_weights(self, clip_rows: int, rows: int) -> Tensor | None:
        """The weights `(rows,)` of all examples, 1 of synthesised sounds, which follow the first `clip_rows`; None: all are 1."""
        own = torch.tensor([self.weights[i] for i in self.clips], dtype=torch.float64)
        if bool((own == 1).all()):
            return None
        return torch.cat([own.repeat(clip_rows // len(own)), torch.ones(rows - clip_rows, dtype=torch.float64)])

    def counted_examples(self, clip_rows: int, rows: int) -> Tensor | None:
        """Which examples count in the fit of a codec `(rows,)`, bool: variations as their clips, and all synthesised sounds; None: all.

        clip_rows: number of clips and variations, which synthesised sounds follow.
        """
        counted = self.counted_rows
        if counted is None:
            return None
        own = torch.zeros(len(self.clips), dtype=torch.bool)
        own[counted] = True
        return torch.cat([own.repeat(clip_rows // len(own)), torch.ones(rows - clip_rows, dtype=torch.bool)])
