"""Outliers: sounds that are unlike all others of the corpus, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.space.neighbours.metric import Metric, nearest
from timbrespace.space.neighbours.sounds import SoundSet
from timbrespace.space.neighbours.words import unusual

_NEIGHBOURS = 3  # whose mean distance counts: two copies of one strange sound are still strange
_FENCE = 1.5  # interquartile ranges above the third quartile (Tukey 1977)
_FEWEST = 8  # sounds of a category with which one of them is compared
_REASONS = 3
_WIDER = 0.1  # without a descriptor beyond 97.5 %, one reason from 90 %


@dataclass(frozen=True)
class Outlier:
    """A sound and how unlike the corpus it is.

    distance: mean distance to its three nearest others, see `Match.distance`. beyond: share of the corpus (%) whose sounds have nearer
    neighbours than it has. is_outlier: its distance is beyond Tukey's fence of the corpus. nearest: name of the nearest other sound.
    reasons: in words, the strongest first: "brighter than 99 % of the corpus", "longer than all of the category snare"; empty where no
    descriptor is unusual by itself.
    """

    name: str
    distance: float
    beyond: float
    is_outlier: bool
    nearest: str | None
    reasons: tuple[str, ...]
    category: str | None = None
    path: Path | None = None


def outliers(metric: Metric, sounds: SoundSet, corpus: SoundSet | None = None) -> list[Outlier]:
    """Returns the sounds, the most unlike first, against a corpus; None: against each other."""
    same = corpus is None
    corpus = sounds if corpus is None else corpus
    points = metric.points(corpus)
    usual, _ = nearest(points, points, _NEIGHBOURS, same=True)
    own, indices = (usual, nearest(points, points, 1, same=True)[1]) if same else nearest(metric.points(sounds), points, _NEIGHBOURS)
    typical, distances = _mean(usual), _mean(own)
    fence = _fence(typical)
    out = []
    for row, distance in enumerate(distances.tolist()):
        others = typical if not same else typical[torch.arange(len(typical)) != row]
        beyond = 100 * float((others < distance).double().mean()) if len(others) else 0.0
        out.append(
            Outlier(
                sounds.names[row],
                distance,
                round(beyond, 1),
                distance > fence,
                corpus.names[int(indices[row, 0])] if indices.shape[1] else None,
                tuple(_reasons(sounds, row, corpus, same=same)[:_REASONS]),
                sounds.categories[row],
                sounds.paths[row],
            )
        )
    return sorted(out, key=lambda one: -one.distance)


def _reasons(sounds: SoundSet, row: int, corpus: SoundSet, *, same: bool) -> list[str]:
    """Why a sound is unusual in the corpus, then in its category."""
    others = torch.ones(len(corpus), dtype=torch.bool)
    if same:
        others[row] = False
    reasons = unusual(sounds.descriptors[row], corpus.descriptors[others])
    reasons = reasons or unusual(sounds.descriptors[row], corpus.descriptors[others], tail=_WIDER)[:1]
    category = sounds.categories[row]
    own = others & torch.tensor([category is not None and one == category for one in corpus.categories], dtype=torch.bool)
    if category is not None and int(own.sum()) >= _FEWEST:
        known = {reason.split(" than ")[0] for reason in reasons}
        within = unusual(sounds.descriptors[row], corpus.descriptors[own], of=f"the category {category}")
        reasons += [reason for reason in within if reason.split(" than ")[0] not in known]
    return reasons


def _mean(distances: Tensor) -> Tensor:
    """Mean over the neighbours `(n, k)`: `(n,)`; 0 for a sound without any."""
    return distances.mean(1) if distances.shape[1] else torch.zeros(len(distances), dtype=distances.dtype)


def _fence(typical: Tensor) -> float:
    """The distance beyond which a sound is an outlier."""
    if len(typical) < 4:
        return float("inf")
    low, high = (float(typical.quantile(share)) for share in (0.25, 0.75))
    return high + _FENCE * (high - low)
