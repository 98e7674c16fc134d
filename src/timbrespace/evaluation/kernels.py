"""Kernel measures of sets of points `(count, dims)`: the maximum mean discrepancy with its test, and the effective number of sounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from timbrespace.contracts import ShapeError
from timbrespace.evaluation.points import Points, as_points, check_same_dims, distances


class Discrepancy(NamedTuple):
    """value: squared maximum mean discrepancy, may be slightly negative. p: probability of so large a value within one distribution."""

    value: float
    p: float


def mmd(a: Points, b: Points, *, scale: float | None = None, permutations: int = 200, seed: int = 0) -> Discrepancy:
    """Returns the squared maximum mean discrepancy (Gretton et al. 2012, the unbiased estimate of eq. 3) and its permutation test.

    Gaussian kernel exp(-d² / (2 scale²)), for points `(n, dims)` and `(m, dims)`; scale: by default the median distance of all pairs.
    0 for one distribution, at most 1. The p-value is at least 1 / (permutations + 1). Raises ShapeError for fewer than two points a side.
    """
    x, y = as_points(a, "a"), as_points(b, "b")
    check_same_dims(x, y)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ShapeError(f"the discrepancy needs 2 points or more a side, not {n} and {m}")
    both = np.concatenate([x, y])
    apart = distances(both, both)
    scale = scale or float(np.median(apart[np.triu_indices(n + m, 1)])) or 1.0
    kernel = np.exp(-np.square(apart / scale) / 2)
    np.fill_diagonal(kernel, 0.0)

    def value(first: np.ndarray) -> float:
        own, other = kernel[first][:, first].sum() / (n * (n - 1)), kernel[~first][:, ~first].sum() / (m * (m - 1))
        return float(own + other - 2 * kernel[first][:, ~first].mean())

    belongs = np.arange(n + m) < n
    found, rng = value(belongs), np.random.default_rng(seed)
    larger = sum(value(rng.permutation(belongs)) >= found for _ in range(permutations))
    return Discrepancy(found, (1 + larger) / (1 + permutations))


def effective_number(points: Points, *, scale: float) -> float:
    """Returns how many different sounds a set is worth: the Vendi score (Friedman and Dieng 2023), 1 (all equal) to the number of points.

    The exponential of the entropy of the eigenvalues of the kernel matrix over the number of points; Gaussian kernel of the given scale, a
    distance at which two sounds count as partly alike. Compare sets of the same size only. Raises ShapeError.
    """
    x = as_points(points, "points")
    values = np.linalg.eigvalsh(np.exp(-np.square(distances(x, x) / scale) / 2) / len(x)).clip(0)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))
