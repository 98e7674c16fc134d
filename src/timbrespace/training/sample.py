"""The training clips that a check evaluates: a sample that is like the whole corpus."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

CARD_CLIPS = 1_024  # training clips evaluated once, for the card, at most


def sample_clips(categories: Sequence[str | None], most: int, *, seed: int, counted: Sequence[int] | None = None) -> Tensor:
    """Rows `(n,)` of a stratified sample of the training clips, ascending; all rows if there are at most `most`.

    The clips are sorted by category, within a category in the order of the corpus, and cut into `most` equal parts. The sample has one
    random clip of each part. So every category has its share of the sample to within one clip, and the sample is spread evenly over the
    corpus (whose neighbours often share an instrument or a factor of synthesis). The result depends on the arguments alone: the random
    numbers of PyTorch are not used.

    categories: of each training clip, in the order of the rows. most: clips in the sample. seed: of the training. counted: the rows that
    the sample is taken from, ascending; None: all.
    """
    rows = range(len(categories)) if counted is None else counted
    count = len(rows)
    if count <= most:
        return torch.arange(count) if counted is None else torch.tensor(counted)
    by_category = sorted(rows, key=lambda row: (categories[row] or "", row))
    generator = random.Random(seed)
    bounds = [part * count // most for part in range(most + 1)]
    return torch.tensor(sorted(by_category[generator.randrange(low, high)] for low, high in pairwise(bounds)))
