"""Points `(count, dims)` that the measures of this folder compare, as tensors or arrays, and distances between them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from timbrespace.contracts import ShapeError

Points = Tensor | np.ndarray


def as_points(points: Points, name: str) -> np.ndarray:
    """Returns points as a float64 array `(count, dims)`. Raises ShapeError for another shape, no points, or values that are not finite.

    name: of the argument, for the error.
    """
    array = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
    if array.ndim != 2 or not len(array):
        raise ShapeError(f"{name} must be points (count, dims) with one or more, not {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ShapeError(f"{name} holds NaN or infinite values; leave those sounds out")
    return array


def check_same_dims(x: np.ndarray, y: np.ndarray) -> None:
    """Raises ShapeError for two sets of points with different numbers of dimensions."""
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"points of {x.shape[1]} and of {y.shape[1]} dims cannot be compared; use one embedding for both")


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns Euclidean distances `(n, dims), (m, dims) -> (n, m)`, exactly 0 between equal points."""
    from scipy.spatial.distance import cdist

    return cdist(x, y)
