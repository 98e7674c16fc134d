"""Clusters: groups of sounds that are alike, with example sounds and words for what they have in common."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.space.neighbours.metric import Metric
from timbrespace.space.neighbours.sounds import SoundSet
from timbrespace.space.neighbours.words import common

MOST = 64
_MOST_CHOSEN = 32
_AXES, _VARIANCE = 16, 0.95  # principal axes in which clusters are sought: at most as many, or as hold this share of the variance
_FEWEST_A_CLUSTER = 4  # mean number of sounds, where the number of clusters is chosen
_EXAMPLES = 3
_SHARE = 0.5  # of the members from which a category names a cluster


@dataclass(frozen=True)
class Cluster:
    """A group of sounds.

    rows, names: its members, from its middle outwards. examples: names of the medoid (the member with the least mean distance to the
    others) and of further members near the middle, each unlike the ones before it. words: what the members have in common against all
    sounds. categories: of the members, with their numbers, the most frequent first.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    examples: tuple[str, ...]
    words: tuple[str, ...]
    categories: dict[str, int]

    @property
    def title(self) -> str:
        """The cluster in words: "hat: brighter, shorter"; "mixed" without anything in common."""
        kind = next((name for name, count in self.categories.items() if count >= _SHARE * len(self.rows)), None)
        return ": ".join(part for part in (kind, ", ".join(self.words)) if part) or "mixed"


def clusters(metric: Metric, sounds: SoundSet, count: int | None = None, *, examples: int = _EXAMPLES, seed: int = 0) -> list[Cluster]:
    """Returns the sounds in `count` clusters by k-means, the largest first; None: as many as the Bayesian information criterion chooses.

    The criterion is that of Pelleg and Moore (2000) for spherical clusters of one size. Raises ConfigError.
    """
    different = len(torch.unique(metric.points(sounds), dim=0)) if len(sounds) else 0
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= min(MOST, max(1, different))):
        raise ConfigError(
            f"the number of clusters is {count!r}, allowed is 1 to {min(MOST, max(1, different))}: there are {different} different sounds"
        )
    points = metric.points(sounds)
    labels = cluster_labels(points, count, seed=seed)
    found = [_cluster(points, sounds, np.flatnonzero(labels == label), examples) for label in np.unique(labels)]
    return sorted(found, key=lambda one: (-len(one.rows), one.rows))


def cluster_labels(points: Tensor, count: int | None = None, *, seed: int = 0) -> np.ndarray:
    """Returns the number of the cluster of each of `points (n, features)`: `(n,)`, from 0. count: None chooses it, see `clusters`."""
    flat = _along_axes(points)
    return _chosen(flat, len(torch.unique(points, dim=0)), seed=seed) if count is None else _means(flat, count, seed=seed)[0]


def _chosen(points: np.ndarray, different: int, *, seed: int) -> np.ndarray:
    """Cluster of each point, for the number of clusters with the least criterion."""
    most = max(1, min(_MOST_CHOSEN, different, len(points) // _FEWEST_A_CLUSTER))
    tried = [_means(points, count, seed=seed) for count in range(1, most + 1)]
    return min(tried, key=lambda one: _criterion(points, *one))[0]


def _means(points: np.ndarray, count: int, *, seed: int) -> tuple[np.ndarray, float]:
    """Cluster of each point, and the sum of squared distances to the means."""
    if count == 1:
        return np.zeros(len(points), np.int64), float(((points - points.mean(0)) ** 2).sum())
    from sklearn.cluster import KMeans

    fitted = KMeans(count, n_init=3, random_state=seed).fit(points)
    return fitted.labels_, float(fitted.inertia_)


def _criterion(points: np.ndarray, labels: np.ndarray, squares: float) -> float:
    """Bayesian information criterion of spherical Gaussians with one variance; smaller is better."""
    total, dims = points.shape
    counts = np.bincount(labels)
    if total <= len(counts) or squares <= 0:
        return math.inf if len(counts) > 1 else 0.0
    variance = squares / (dims * (total - len(counts)))
    likelihood = float((counts * np.log(counts.clip(1) / total)).sum())
    likelihood -= total * dims / 2 * math.log(2 * math.pi * variance) + dims * (total - len(counts)) / 2
    return -2 * likelihood + len(counts) * (dims + 1) * math.log(total)


def _along_axes(points: Tensor) -> np.ndarray:
    """Points `(n, features)` along their first principal axes, `(n, axes)`."""
    centred = (points - points.mean(0)).numpy()
    values, vectors = np.linalg.eigh(centred.T @ centred)
    shares = values[::-1].clip(0).cumsum() / max(float(values.clip(0).sum()), 1e-30)
    axes = vectors[:, ::-1][:, : min(_AXES, int((shares < _VARIANCE).sum()) + 1)]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # or they could differ between machines
    return np.asarray(centred @ (axes * signs))


def _cluster(points: Tensor, sounds: SoundSet, rows: np.ndarray, examples: int) -> Cluster:
    members = points[torch.from_numpy(rows)]
    distances = torch.cdist(members, members)
    order = distances.mean(1).sort(stable=True).indices
    core = order[: max(1, (len(order) + 1) // 2)].tolist()
    chosen = core[:1]
    while len(chosen) < min(examples, len(core)):
        chosen.append(max((k for k in core if k not in chosen), key=lambda k: float(distances[k, chosen].min())))
    ordered = [int(rows[k]) for k in order.tolist()]
    kinds = Counter(sounds.categories[row] for row in ordered)
    return Cluster(
        tuple(ordered),
        tuple(sounds.names[row] for row in ordered),
        tuple(sounds.names[int(rows[k])] for k in chosen),
        tuple(common(sounds.descriptors[ordered], sounds.descriptors)),
        {name: count for name, count in kinds.most_common() if name is not None},
    )
