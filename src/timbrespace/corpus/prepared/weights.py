"""How much each clip counts: clips cut from one long file count together like a few sounds, so that no file takes over a corpus."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrespace.corpus.format import ClipInfo

FILE_LIMIT = 4.0  # typical files: a file with more clips is long, and counts as so many at most
_SHARE = 0.1  # of the number of files: a long file counts as so many at most, which is less in a small corpus


@dataclass(frozen=True)
class LongFiles:
    """The files whose clips are limited. files: their number. clips: theirs. counted: like how many clips these count together.

    largest: the name of the file with the most clips, and their number.
    """

    files: int
    clips: int
    counted: float
    largest: tuple[str, int]


def clip_weights(files: Sequence[str], *, limit: float | None = FILE_LIMIT) -> list[float]:
    """The weight of each clip, above 0 to 1; all 1 where no file is long.

    A file is long if it was cut into more clips than `limit` typical files have. Its clips weigh together as much as those of `limit`
    typical files, and at most as those of a tenth of all files, but at least as those of one. A typical file has the (lower) median
    number of clips: 1 in a folder of one-shots; in a corpus of recordings as many as each of them, so that few are long there.
    files: the file of each clip. limit: None for none.
    """
    counts = Counter(files)
    if limit is None or not counts:
        return [1.0] * len(files)
    typical = sorted(counts.values())[(len(counts) - 1) // 2]
    most = max(1.0, min(limit, _SHARE * len(counts))) * typical
    return [most / counts[file] if counts[file] > limit * typical else 1.0 for file in files]


def weights_of(clips: Sequence[ClipInfo], *, limit: float | None = FILE_LIMIT) -> list[float]:
    """`clip_weights` of the clips of a corpus. The clips of all splits count, so a clip weighs the same in each of them."""
    return clip_weights([clip.file for clip in clips], limit=limit)


def counted_clips(indices: Sequence[int], files: Sequence[str], weights: Sequence[float]) -> list[int]:
    """Those of `indices` that are left if each file keeps as many clips as its clips weigh together, rounded, but one at least.

    The clips that are kept of a file are spread evenly. Statistics of these clips are like weighted ones of all. files, weights: of
    every clip of the corpus. Returns `indices` itself, as a list, if all weights are 1.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        members[files[index]].append(index)
    kept: set[int] = set()
    for rows in members.values():
        count = min(len(rows), max(1, round(sum(weights[i] for i in rows))))
        kept.update(rows[(2 * k + 1) * len(rows) // (2 * count)] for k in range(count))
    return [index for index in indices if index in kept]


def long_files(files: Sequence[str], weights: Sequence[float]) -> LongFiles | None:
    """The long files that `clip_weights` limits; None if there are none."""
    limited = Counter(file for file, weight in zip(files, weights, strict=True) if weight < 1)
    if not limited:
        return None
    counted = float(np.sum([weight for weight in weights if weight < 1]))
    return LongFiles(len(limited), limited.total(), counted, limited.most_common(1)[0])
