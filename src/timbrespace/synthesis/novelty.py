"""Novelty: distances of sounds to the training sounds, in the fixed features of `audio.embedding.embedding`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from timbrespace.audio.embedding import EMBEDDING_DIMS, embedding
from timbrespace.corpus.corpus import Corpus
from timbrespace.parallel import Pool
from timbrespace.synthesis.output.nearest import COPY, COPY_DB, NO_UNIT, REPEAT_DB, STRIPPED, UNLIKE, Nearest, nearest_to

__all__ = [
    "COPY", "COPY_DB", "NO_UNIT", "REPEAT_DB", "STRIPPED", "UNLIKE", "Nearest", "clip_embeddings", "count_different", "nearest_sounds",
    "neighbours", "novelty_unit", "repeats_of",
]  # fmt: skip

_BATCH = 4  # clips that a thread embeds at a time: each takes some 6 MB
_DISTANCES = 2**22  # held at a time, so that memory does not grow with the square of the number of sounds
_FEWEST_ROWS = 32  # of a block: with fewer, `torch.cdist` computes in another way


def clip_embeddings(corpus: Corpus, clips: list[int], *, samples: int) -> Tensor:
    """Returns embeddings `(clips, features)` of clips of a corpus, rounded to half precision like those in an instrument file.

    samples: longer clips are cut to it. Memory does not grow with the number of clips, apart from the result.
    """
    points = torch.zeros(len(clips), EMBEDDING_DIMS)

    def embed(start: int) -> None:
        audio = [corpus.audio(i)[:, :samples] for i in clips[start : start + _BATCH]]
        # Into place: small results kept by threads pin the large blocks that are freed around them (4 GB for 10,000 clips).
        points[start : start + _BATCH] = embedding(audio, sample_rate=corpus.sample_rate).half().float()

    with Pool() as pool:
        for _ in pool.map(embed, range(0, len(clips), _BATCH)):
            pass
    return points


def nearest_sounds(audio: list[Tensor], sample_rate: int, *, embeddings: Tensor, unit: float | None) -> list[Nearest]:
    """Returns the nearest training sound of each sound.

    audio: `(channels, time)` each. embeddings `(n, features)`: of the training sounds. unit: see `novelty_unit`.
    """
    points, training = embedding(audio, sample_rate=sample_rate).numpy(), embeddings.numpy()
    return [nearest_to(point, training, unit) for point in points]


def neighbours(audio: Tensor, sample_rate: int, *, embeddings: Tensor, count: int) -> list[int]:
    """Returns the indices of the `count` training sounds nearest to a sound `(channels, time)`, nearest first; all if fewer."""
    distances = torch.cdist(embedding([audio], sample_rate=sample_rate).float(), embeddings)[0]
    return distances.topk(min(count, len(distances)), largest=False).indices.tolist()


def novelty_unit(held_out: Tensor, training: Tensor) -> float | None:
    """Returns the median distance of held-out embeddings `(m, features)` to their nearest training ones `(n, features)`, in dB.

    Sounds that repeat do not count: a held-out sound within 0.1 dB of a training sound or of an earlier held-out sound. None where

    - no held-out sound is left;
    - all training sounds are within 1 dB of the first one;
    - the unit is under 1 dB and under a quarter of the median distance between training sounds that differ by 1 dB or more: the
      held-out sounds would be copies themselves.
    """
    if len(training) > 1 and bool((_exact_distances(training[:1], training) < COPY_DB).all()):
        return None
    held_out = held_out[_first_of_each(held_out, REPEAT_DB)]
    if not len(held_out):
        return None
    distances = _nearest(held_out, training)[0]
    distances = distances[_nearest(held_out, training, exact=True)[0] >= REPEAT_DB]
    if not len(distances):
        return None
    unit = float(distances.median())
    if unit < COPY_DB:
        different = training[_first_of_each(training, COPY_DB)]
        if len(different) > 1 and unit < COPY * float(_to_neighbours(different).median()):
            return None
    return unit


def repeats_of(points: Tensor, training: Tensor) -> int:
    """Returns how many embeddings `(m, features)` are within 0.1 dB of a training embedding `(n, features)`."""
    return int((_nearest(points, training, exact=True)[0] < REPEAT_DB).sum()) if len(points) and len(training) else 0


def count_different(points: Tensor) -> int:
    """Returns how many of the embeddings `(n, features)` are not within 0.1 dB of an earlier one."""
    return len(_first_of_each(points, REPEAT_DB))


def _exact_distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances `(n, m)` without matrix products, whose rounding moves equal points apart."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _nearest(points: Tensor, others: Tensor, *, exact: bool = False) -> tuple[Tensor, Tensor]:
    """Distance to the nearest of `others (n, features)` and its index, `(m,)` each, of points `(m, features)`, m and n ≥ 1.

    exact: see `_exact_distances`.
    """
    values, indices = torch.empty(len(points)), torch.empty(len(points), dtype=torch.int64)
    for rows in _blocks(len(points), len(others)):
        distances = _exact_distances(points[rows], others) if exact else torch.cdist(points[rows], others)
        values[rows], indices[rows] = distances.min(1)
    return values, indices


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of `rows` whose distances to `columns` points are few enough to be held."""
    size = max(_FEWEST_ROWS, _DISTANCES // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def _to_neighbours(points: Tensor) -> Tensor:
    """Distance of every point to its nearest other point: `(n, features) -> (n,)`, n ≥ 2."""
    nearest = torch.empty(len(points))
    for rows in _blocks(len(points), len(points)):
        distances = torch.cdist(points[rows], points)
        distances[torch.arange(len(distances)), torch.arange(rows.start, rows.start + len(distances))] = float("inf")
        nearest[rows] = distances.min(1).values
    return nearest


def _first_of_each(points: Tensor, threshold: float) -> Tensor:
    """Indices of the points `(n, features)` that are not nearer than `threshold` to an earlier one."""
    kept = torch.ones(len(points), dtype=torch.bool)
    for rows in _blocks(len(points), len(points)):
        near = _exact_distances(points[rows], points[: rows.stop]) < threshold
        kept[rows] = ~near.tril(rows.start - 1).any(1)
    return kept.nonzero()[:, 0]
