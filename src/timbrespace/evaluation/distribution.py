"""Compares the distribution of generated sounds with that of real ones: likelihood, variety, novelty.

All functions work on points `(count, dims)`, such as those of `audio.embedding.embedding`, as tensors or arrays.
"""

from __future__ import annotations

import math

import numpy as np

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.evaluation.points import Points, as_points, check_same_dims, distances

COUNT = 300  # points a side in a published comparison
NEIGHBOURS = 3
NEAR_DB = 1.0  # two sounds nearer than this in the embedding sound the same
_FOLDS = 5


def frechet_distance(a: Points, b: Points) -> float:
    """Returns the squared Fréchet distance of the Gaussians fitted to two sets of points, `(n, dims)` and `(m, dims)`, n, m ≥ 2.

    |mean difference|² + trace(A + B - 2 (A B)^½) with A and B the sample covariances, in squared units of the points. It decreases with
    the number of points: compare it with the distance of real sounds at the same number (`compare`). Raises ShapeError.
    """
    x, y = as_points(a, "a"), as_points(b, "b")
    check_same_dims(x, y)
    if min(len(x), len(y)) < 2:
        raise ShapeError(f"a covariance needs 2 points or more a side, not {len(x)} and {len(y)}")
    cov_x, cov_y = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # (A B)^½ has the trace of (A^½ B A^½)^½, which is symmetric: no complex square root.
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_y @ root).clip(0)).sum()
    return float(max(0.0, np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cov_x) + np.trace(cov_y) - 2 * cross))


def precision_recall(generated: Points, reference: Points, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Returns improved precision and recall (Kynkäänniemi et al. 2019), both 0 to 1.

    Precision: share of generated points within a reference point's ball, whose radius is the distance to its k-th
    neighbour in its set. Recall: the same with the sets exchanged. Compare sets of the same size only.
    Raises ShapeError, ConfigError.
    """
    x, y = as_points(generated, "generated"), as_points(reference, "reference")
    check_same_dims(x, y)
    if not 1 <= neighbours < min(len(x), len(y)):
        raise ConfigError(f"neighbours is {neighbours}, allowed is 1 to {min(len(x), len(y)) - 1} with {len(x)} and {len(y)} points")
    between = distances(x, y)

    def radii(points: np.ndarray) -> np.ndarray:
        return np.partition(distances(points, points), neighbours, axis=1)[:, neighbours]  # index 0 is the point itself

    precision = (between <= radii(y)[None, :]).any(axis=1).mean()
    recall = (between <= radii(x)[:, None]).any(axis=0).mean()
    return float(precision), float(recall)


def density_coverage(generated: Points, reference: Points, *, neighbours: int = 5) -> tuple[float, float]:
    """Returns density and coverage (Naeem et al. 2020, eq. 9 and 10).

    Density: in how many reference points' balls a generated point is, over k, mean over generated points; 0 or more, 1 for one
    distribution. Coverage: share of reference points with a generated point in their ball. The radius of a ball is the distance to the
    k-th neighbour in the reference set. Unlike precision and recall, neither rests on balls of generated points, and one outlier among
    the reference points adds little. Raises ShapeError, ConfigError.
    """
    x, y = as_points(generated, "generated"), as_points(reference, "reference")
    check_same_dims(x, y)
    if not 1 <= neighbours < len(y):
        raise ConfigError(f"neighbours is {neighbours}, allowed is 1 to {len(y) - 1} with {len(y)} reference points")
    radii = np.partition(distances(y, y), neighbours, axis=1)[:, neighbours]  # index 0 is the point itself
    inside = distances(x, y) <= radii[None, :]
    return float(inside.sum(axis=1).mean() / neighbours), float(inside.any(axis=0).mean())


def two_sample_accuracy(a: Points, b: Points, *, seed: int = 0) -> float:
    """Returns the cross-validated accuracy of a classifier that separates two sets of points: 0.5 (chance) to 1.

    RBF support vector machine on standardised features, 5 stratified folds (fewer with fewer points); the larger set is subsampled.
    Raises ShapeError.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = as_points(a, "a"), as_points(b, "b")
    check_same_dims(x, y)
    n = min(len(x), len(y))
    if n < 4:
        raise ShapeError(f"a two-sample test needs 4 points or more a side, not {len(x)} and {len(y)}")
    rng = np.random.default_rng(seed)
    features = np.concatenate([x[rng.permutation(len(x))[:n]], y[rng.permutation(len(y))[:n]]])
    folds = StratifiedKFold(min(_FOLDS, n // 2), shuffle=True, random_state=seed)
    scores = cross_val_score(make_pipeline(StandardScaler(), SVC()), features, np.repeat([0, 1], n), cv=folds)
    return float(scores.mean())


def nearest(points: Points, others: Points) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nearest of `others` to each of `points`: indices `(count,)` and Euclidean distances `(count,)`."""
    x, y = as_points(points, "points"), as_points(others, "others")
    check_same_dims(x, y)
    index = np.empty(len(x), dtype=np.int64)
    distance = np.empty(len(x))
    for start in range(0, len(x), 512):  # bounded memory for large corpora
        block = distances(x[start : start + 512], y)
        index[start : start + 512] = block.argmin(axis=1)
        distance[start : start + 512] = block.min(axis=1)
    return index, distance


def novelty(generated: Points, training: Points, held_out: Points) -> float:
    """Returns the median distance to the nearest training sound over the same for held-out sounds: 0 copies, 1 is as new as real sounds."""
    base = float(np.median(nearest(held_out, training)[1]))
    distance = float(np.median(nearest(generated, training)[1]))
    if base > 0:
        return distance / base
    return 0.0 if distance == 0 else math.inf  # held-out sounds that equal training sounds give no scale


def near_duplicates(points: Points, *, threshold: float = NEAR_DB) -> list[tuple[int, int]]:
    """Returns pairs `(earlier, later)` of points nearer than `threshold`; each later point once, with its nearest earlier one."""
    x = as_points(points, "points")
    pairs = []
    for start in range(0, len(x), 512):
        block = distances(x[start : start + 512], x)
        for row, row_distances in enumerate(block, start=start):
            if row and row_distances[:row].min() < threshold:
                pairs.append((int(row_distances[:row].argmin()), row))
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
    """Returns all measures of generated against held-out real sounds, each beside that of real against real sounds.

    generated, reference, training: `(·, dims)`. In each of `splits` draws, n generated points are compared with n reference points,
    and two disjoint sets of n real points (reference and training together) with each other; values are means over the draws.
    n is `count`, or what the sets allow: all of generated, all of reference, half of the real points.

    Keys: n, splits, frechet, frechet_floor, frechet_ratio, precision, recall, accuracy (of the two-sample test); the last three also
    as real_…; duplicates (share of generated points nearer than 1 dB to an earlier one); and novelty, copies (share of generated points
    nearer than 1 dB to a training point) and real_copies (the same of the reference), which are None without training sounds.
    Raises ShapeError when there are too few points.
    """
    fake, real = as_points(generated, "generated"), as_points(reference, "reference")
    check_same_dims(fake, real)
    known = None if training is None else as_points(training, "training")
    pool = real if known is None else np.concatenate([real, known])
    n = min(count, len(fake), len(real), len(pool) // 2)
    if n < max(4, neighbours + 1) or splits < 1:
        raise ShapeError(
            f"{n} points a side in {splits} splits are too few: give at least {max(4, neighbours + 1)} generated and reference sounds"
            " (twice as many without training sounds) and one split"
        )
    rng = np.random.default_rng(seed)
    generated_draws, real_draws = [], []
    for split in range(splits):
        halves = pool[rng.permutation(len(pool))[: 2 * n]]
        draw = fake[rng.permutation(len(fake))[:n]], real[rng.permutation(len(real))[:n]]
        generated_draws.append(_measures(*draw, neighbours=neighbours, seed=seed + split))
        real_draws.append(_measures(halves[:n], halves[n:], neighbours=neighbours, seed=seed + split))
    means, real_means = np.mean(generated_draws, axis=0), np.mean(real_draws, axis=0)
    result: dict[str, float | int | None] = {"n": n, "splits": splits, "frechet": float(means[0])}
    result["frechet_floor"] = float(real_means[0])
    result["frechet_ratio"] = float(means[0] / real_means[0]) if real_means[0] > 0 else math.inf
    for k, name in enumerate(("precision", "recall", "accuracy"), start=1):
        result[name], result[f"real_{name}"] = float(means[k]), float(real_means[k])
    result |= {"novelty": None, "copies": None, "real_copies": None, "duplicates": len(near_duplicates(fake)) / len(fake)}
    if known is not None:
        result["novelty"] = novelty(fake, known, real)
        result["copies"] = float((nearest(fake, known)[1] < NEAR_DB).mean())
        result["real_copies"] = float((nearest(real, known)[1] < NEAR_DB).mean())
    return result


def _measures(a: np.ndarray, b: np.ndarray, *, neighbours: int, seed: int) -> tuple[float, float, float, float]:
    """Fréchet distance, precision, recall and two-sample accuracy."""
    return frechet_distance(a, b), *precision_recall(a, b, neighbours=neighbours), two_sample_accuracy(a, b, seed=seed)
