"""How the sounds of an instrument, as a crowd, compare with real ones: are they likely, varied, new?

Everything here works on points `(count, dims)`, such as those of `audio.distance.embedding`, as tensors or arrays.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

Points = Tensor | np.ndarray

COUNT = 300  # points a side in a published comparison
NEIGHBOURS = 3
NEAR_DB = 1.0  # two sounds nearer than this in the embedding are doubles to the ear
_FOLDS = 5


def frechet_distance(a: Points, b: Points) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of points, `(n, dims)` and `(m, dims)`, n, m ≥ 2.

    |mean difference|² + trace(A + B - 2 (A B)^½) with A and B the sample covariances. In squared units of the points; it shrinks
    with the number of points, so give it beside that of real sounds at the same number (`compare`). Raises ShapeError.
    """
    x, y = _points(a, "a"), _points(b, "b")
    _same_dims(x, y)
    if min(len(x), len(y)) < 2:
        raise ShapeError(f"a covariance needs 2 points or more a side, not {len(x)} and {len(y)}")
    cov_x, cov_y = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # (A B)^½ has the trace of (A^½ B A^½)^½, which is symmetric: no complex square root.
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_y @ root).clip(0)).sum()
    return float(max(0.0, np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cov_x) + np.trace(cov_y) - 2 * cross))


def precision_recall(generated: Points, reference: Points, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019), both 0 … 1.

    Precision: share of generated points within a reference point's ball, whose radius is the distance to its k-th
    neighbour in its own set. Recall: the same with the sets exchanged. Sets of the same size are comparable.
    """
    x, y = _points(generated, "generated"), _points(reference, "reference")
    _same_dims(x, y)
    if not 1 <= neighbours < min(len(x), len(y)):
        raise ConfigError(f"neighbours is {neighbours}, allowed is 1 to {min(len(x), len(y)) - 1} with {len(x)} and {len(y)} points")
    between = _distances(x, y)

    def radii(points: np.ndarray) -> np.ndarray:
        return np.partition(_distances(points, points), neighbours, axis=1)[:, neighbours]  # place 0 is the point itself

    precision = (between <= radii(y)[None, :]).any(axis=1).mean()
    recall = (between <= radii(x)[:, None]).any(axis=0).mean()
    return float(precision), float(recall)


def two_sample_accuracy(a: Points, b: Points, *, seed: int = 0) -> float:
    """Cross-validated accuracy of a classifier told to tell two sets of points apart: 0.5 (it cannot) … 1.

    RBF support vector machine on standardised features, 5 stratified folds (fewer with fewer points), both sets cut at random to one size.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = _points(a, "a"), _points(b, "b")
    _same_dims(x, y)
    n = min(len(x), len(y))
    if n < 4:
        raise ShapeError(f"a two-sample test needs 4 points or more a side, not {len(x)} and {len(y)}")
    rng = np.random.default_rng(seed)
    features = np.concatenate([x[rng.permutation(len(x))[:n]], y[rng.permutation(len(y))[:n]]])
    folds = StratifiedKFold(min(_FOLDS, n // 2), shuffle=True, random_state=seed)
    scores = cross_val_score(make_pipeline(StandardScaler(), SVC()), features, np.repeat([0, 1], n), cv=folds)
    return float(scores.mean())


def nearest(points: Points, others: Points) -> tuple[np.ndarray, np.ndarray]:
    """Nearest of `others` to each of `points`: `(count,)` indices and `(count,)` Euclidean distances."""
    x, y = _points(points, "points"), _points(others, "others")
    _same_dims(x, y)
    index = np.empty(len(x), dtype=np.int64)
    distance = np.empty(len(x))
    for start in range(0, len(x), 512):  # flat memory for large corpora
        block = _distances(x[start : start + 512], y)
        index[start : start + 512] = block.argmin(axis=1)
        distance[start : start + 512] = block.min(axis=1)
    return index, distance


def novelty(generated: Points, training: Points, held_out: Points) -> float:
    """Median distance to the nearest training sound, over the same for held-out real sounds: 0 is a copier, 1 as new as real."""
    base = float(np.median(nearest(held_out, training)[1]))
    found = float(np.median(nearest(generated, training)[1]))
    if base > 0:
        return found / base
    return 0.0 if found == 0 else math.inf  # held-out sounds that are copies of training sounds say nothing


def near_doubles(points: Points, *, threshold: float = NEAR_DB) -> list[tuple[int, int]]:
    """Pairs `(earlier, later)` of points nearer than `threshold` to each other; a later point is named once, with its nearest."""
    x = _points(points, "points")
    pairs = []
    for start in range(0, len(x), 512):
        block = _distances(x[start : start + 512], x)
        for row, distances in enumerate(block, start=start):
            if row and distances[:row].min() < threshold:
                pairs.append((int(distances[:row].argmin()), row))
    return pairs


def compare(
    generated: Points,
    reference: Points,
    *,
    training: Points | None = None,
    count: int = COUNT,
    splits: int = 5,
    neighbours: int = NEIGHBOURS,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Every figure of generated against held-out real sounds, each beside that of real against real.

    generated, reference, training: `(·, dims)`. In each of `splits` draws, n generated points stand against n reference points,
    and two disjoint sets of n real points (reference and training together) against each other; the figures are means over the draws.
    n is `count`, or what the sets allow: all of generated, all of reference, half of the real points.

    Returns n, splits, frechet, frechet_floor, frechet_ratio, precision, recall, accuracy (each of the last three also as real_…), and
    with training sounds novelty, copies (share of generated points nearer than 1 dB to a training point), real_copies
    (the same of the reference), and doubles (share of generated points that repeat an earlier one). None where training is missing.
    Raises ShapeError when there are too few points.
    """
    fake, real = _points(generated, "generated"), _points(reference, "reference")
    _same_dims(fake, real)
    known = None if training is None else _points(training, "training")
    pool = real if known is None else np.concatenate([real, known])
    n = min(count, len(fake), len(real), len(pool) // 2)
    if n < max(4, neighbours + 1) or splits < 1:
        raise ShapeError(
            f"{n} points a side in {splits} splits are too few: give at least {max(4, neighbours + 1)} generated and reference sounds"
            " (twice as many without training sounds) and one split"
        )
    rng = np.random.default_rng(seed)
    ours, floor = [], []
    for split in range(splits):
        halves = pool[rng.permutation(len(pool))[: 2 * n]]
        draw = fake[rng.permutation(len(fake))[:n]], real[rng.permutation(len(real))[:n]]
        ours.append(_figures(*draw, neighbours=neighbours, seed=seed + split))
        floor.append(_figures(halves[:n], halves[n:], neighbours=neighbours, seed=seed + split))
    found, base = np.mean(ours, axis=0), np.mean(floor, axis=0)
    result: dict[str, float | int | None] = {"n": n, "splits": splits, "frechet": float(found[0]), "frechet_floor": float(base[0])}
    result["frechet_ratio"] = float(found[0] / base[0]) if base[0] > 0 else math.inf
    for place, name in enumerate(("precision", "recall", "accuracy"), start=1):
        result[name], result[f"real_{name}"] = float(found[place]), float(base[place])
    result |= {"novelty": None, "copies": None, "real_copies": None, "doubles": len(near_doubles(fake)) / len(fake)}
    if known is not None:
        result["novelty"] = novelty(fake, known, real)
        result["copies"] = float((nearest(fake, known)[1] < NEAR_DB).mean())
        result["real_copies"] = float((nearest(real, known)[1] < NEAR_DB).mean())
    return result


def _figures(a: np.ndarray, b: np.ndarray, *, neighbours: int, seed: int) -> tuple[float, float, float, float]:
    return frechet_distance(a, b), *precision_recall(a, b, neighbours=neighbours), two_sample_accuracy(a, b, seed=seed)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances `(n, dims), (m, dims) -> (n, m)`, exact: equal points are 0 apart."""
    from scipy.spatial.distance import cdist

    return cdist(x, y)


def _points(points: Points, name: str) -> np.ndarray:
    array = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
    if array.ndim != 2 or not len(array):
        raise ShapeError(f"{name} must be points (count, dims) with one or more, not {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ShapeError(f"{name} holds NaN or infinite values; leave those sounds out")
    return array


def _same_dims(x: np.ndarray, y: np.ndarray) -> None:
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"points of {x.shape[1]} and of {y.shape[1]} dims cannot be compared; use one embedding for both")
