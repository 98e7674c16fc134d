"""The clusters of a map: those of `find --clusters`, at most as many as a page has colours for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timbrespace.space.atlas.atlas import TRAINING, Atlas
from timbrespace.space.neighbours.clusters import Cluster, cluster_labels
from timbrespace.space.neighbours.neighbours import Neighbours

MOST = 12


@dataclass(frozen=True)
class MapClusters:
    """numbers: of the cluster of each point, from 0, the largest cluster first. titles: of the clusters, "1 hat: brighter, shorter"."""

    numbers: list[int]
    titles: list[str]


def map_clusters(atlas: Atlas) -> MapClusters:
    """Returns the clusters of a map, at most 12.

    Training sounds are clustered as `Instrument.clusters` does; new and given sounds belong to the cluster of the training sound with the
    nearest latent. On the map of a stripped instrument the latents of the new sounds are clustered.
    """
    if atlas.contents.clips is None:
        labels = cluster_labels(atlas.points.latents, seed=atlas.seed)
        if labels.max(initial=0) >= MOST:
            labels = cluster_labels(atlas.points.latents, MOST, seed=atlas.seed)
        order = np.argsort(-np.bincount(labels), kind="stable")
        return MapClusters(np.argsort(order)[labels].tolist(), [f"cluster {number + 1}" for number in range(len(order))])
    found = training_clusters(Neighbours(atlas.contents))
    numbers = torch.zeros(len(atlas), dtype=torch.long)
    for number, cluster in enumerate(found):
        numbers[list(cluster.rows)] = number
    _join_others(atlas, numbers)
    return MapClusters(numbers.tolist(), [f"{number + 1} {cluster.title}" for number, cluster in enumerate(found)])


def training_clusters(neighbours: Neighbours) -> list[Cluster]:
    """Returns the clusters of the training sounds, the largest first, at most 12."""
    found = neighbours.clusters()
    return neighbours.clusters(MOST) if len(found) > MOST else found


def _join_others(atlas: Atlas, numbers: Tensor) -> None:
    """Gives points that are no training sounds the cluster of the nearest one, in place."""
    is_training = torch.tensor([kind == TRAINING for kind in atlas.points.kinds])
    if bool(is_training.all()):
        return
    training, latents = is_training.nonzero()[:, 0], atlas.points.latents
    nearest = torch.cat([torch.cdist(some, latents[training]).argmin(1) for some in latents[~is_training].split(1024)])
    numbers[~is_training] = numbers[training[nearest]]
