"""Intervals of figures of one instrument's sounds: how much a figure would change with other sounds of the same kind.

Half of the sounds are drawn without replacement, again and again: the spread of a figure over such halves is its standard error (the
delete-d jackknife, Shao and Wu 1989). A bootstrap with replacement would put copies among the sounds, which a classifier and nearest
neighbours notice. Sounds alone are drawn: another training of the instrument is not among what changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrespace.evaluation.distribution import frechet_distance, nearest, precision_recall, two_sample_accuracy

DRAWS = 40
_INSIDE = (5.0, 95.0)  # percent: an interval of 90 %


def half_width(figures: Sequence[float]) -> float:
    """Returns half the width of the 90 % interval of a figure, from its values over half-samples; NaN without any."""
    values = np.asarray(figures, np.float64)
    values = values[np.isfinite(values)]
    return float(np.diff(np.percentile(values, _INSIDE))[0] / 2) if len(values) > 1 else float("nan")


def of_sounds(count: int, figures: Callable[[np.ndarray], Mapping[str, float]], *, seed: int = 0) -> dict[str, float]:
    """Returns the half-widths of figures of `count` sounds. figures: called with the indices of half of them."""
    rng = np.random.default_rng(seed)
    found = [figures(rng.permutation(count)[: count // 2]) for _ in range(DRAWS)]
    return {name: half_width([one[name] for one in found]) for name in found[0]}


def of_distances(points: Tensor, held_out: Tensor, training: Tensor, *, seed: int = 0) -> dict[str, float]:
    """Returns the half-widths of accuracy, precision, recall, frechet and novelty of sounds against held-out ones, and of the first
    four against all real ones (`all_…`). points `(n, features)`: embeddings; both sides are halved.
    """  # fmt: skip
    rng = np.random.default_rng(seed)
    everything = torch.cat([held_out, training])
    found: list[dict[str, float]] = []
    for _ in range(DRAWS):
        some, unit = _half(points, rng), float(np.median(nearest(_half(held_out, rng), training)[1]))
        row = {"novelty": float(np.median(nearest(some, training)[1])) / unit if unit else float("nan")}
        for prefix, reference in (("", held_out), ("all_", everything)):
            real = _half(reference, rng)
            size = min(len(some), len(real))
            ours, theirs = some[:size], real[:size]
            precision, recall = precision_recall(ours, theirs)
            row |= {f"{prefix}accuracy": two_sample_accuracy(ours, theirs), f"{prefix}precision": precision, f"{prefix}recall": recall}
            row[f"{prefix}frechet"] = frechet_distance(ours, theirs)
        found.append(row)
    return {name: half_width([one[name] for one in found]) for name in found[0]}


def with_width(value: str, width: float) -> str:
    """A number with the half-width of its interval, with as many decimals: "0.72 ± 0.06"; the number alone where there is none."""
    if width != width or value == "–":
        return value
    return f"{value} ± {width:.{len(value.partition('.')[2])}f}"


def _half(points: Tensor, rng: np.random.Generator) -> Tensor:
    return points[rng.permutation(len(points))[: len(points) // 2]]
