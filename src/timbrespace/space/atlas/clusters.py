"""Clusters of latents, for the colours of a map: k-means, whose number of clusters the silhouette chooses."""

from __future__ import annotations

import numpy as np
from torch import Tensor

_COUNTS = (2, 3, 4, 5, 6, 8, 10, 12)
_COMPARED = 1_000  # points by which the numbers of clusters are compared


def cluster_numbers(latents: Tensor, *, seed: int = 0) -> list[int]:
    """Returns the number of the cluster of each point of `latents (n, dims)`, from 0, the largest cluster first.

    Of 2 to 12 clusters the number with the largest mean silhouette (Rousseeuw 1987) is taken. Fewer than eight points are one cluster.
    """
    points = latents.float().numpy()
    different = len(np.unique(points, axis=0))
    if len(points) < 8 or different < 4:
        return [0] * len(points)
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    some = points[np.linspace(0, len(points) - 1, min(len(points), _COMPARED)).round().astype(int)]
    best, highest = None, -np.inf
    for count in _COUNTS:
        if count >= min(different, len(some)):
            break
        fitted = KMeans(count, n_init=2, random_state=seed).fit(some)
        if len(np.unique(fitted.labels_)) < 2:
            continue
        score = silhouette_score(some, fitted.labels_)
        if score > highest:
            best, highest = fitted, score
    if best is None:
        return [0] * len(points)
    numbers = best.predict(points)
    order = np.argsort(-np.bincount(numbers, minlength=best.n_clusters), kind="stable")
    return np.argsort(order)[numbers].tolist()
