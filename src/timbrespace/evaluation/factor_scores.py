"""SAP and DCI: two further scores of how latents separate known factors, whose values are ordered (frequency, index, number)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbrespace.contracts import ShapeError
from timbrespace.evaluation.points import Points, as_points

Factors = Mapping[str, NDArray[np.int64]]
_TREES, _LEAF = 40, 5
FEWEST = 12  # sounds; a third of them tests


class Dci(NamedTuple):
    """disentanglement: how far a dimension belongs to one factor; completeness: how far a factor is in one dimension; 0 to 1.

    informativeness: how well the latents predict the factors, R² on sounds that were not learned, mean over factors, at least 0.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def ranked(latents: Points, factors: Factors) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """Returns the latents `(count, dims)` as an array and each factor's values as ranks from 0, `(count,)`. Raises ShapeError."""
    z = as_points(latents, "latents")
    if len(factors) < 2:
        raise ShapeError(f"disentanglement needs two factors or more, not {len(factors)}")
    values = [np.unique(np.asarray(column), return_inverse=True)[1].reshape(-1).astype(np.int64) for column in factors.values()]
    for name, column in zip(factors, values, strict=True):
        if len(column) != len(z):
            raise ShapeError(f"factor {name!r} has {len(column)} values for {len(z)} latents; one a sound is needed")
    return z, values


def sap_scores(latents: Points, factors: Factors) -> dict[str, float]:
    """Returns the separated attribute predictability of each factor (Kumar et al. 2018): 0 (shared) to 1 (one dimension predicts it).

    The difference of the two largest R² of a line from one dimension to the factor's rank. latents `(count, dims)`; factors: name ->
    values `(count,)`. With one dimension the second largest is 0. Raises ShapeError.
    """
    z, values = ranked(latents, factors)
    z = z - z.mean(0)
    spread = np.sqrt(np.square(z).sum(0))
    scores = {}
    for name, column in zip(factors, values, strict=True):
        y = column - column.mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = np.square((z * y[:, None]).sum(0) / (spread * np.sqrt(np.square(y).sum())))
        best = sorted([*np.nan_to_num(squares).tolist(), 0.0], reverse=True)
        scores[name] = float(best[0] - best[1])
    return scores


def dci(latents: Points, factors: Factors, *, seed: int = 0) -> Dci:
    """Returns disentanglement, completeness and informativeness (Eastwood and Williams 2018).

    A random forest predicts the rank of each factor from all dimensions, on two thirds of the sounds; the importances of the dimensions
    make the matrix whose rows and columns are judged by their entropy. Beyond the paper, a factor's importances are weighted by its R²:
    those of a factor that is not predicted at all are noise. Raises ShapeError for fewer than 12 sounds.
    """
    from sklearn.ensemble import RandomForestRegressor

    z, values = ranked(latents, factors)
    if len(z) < FEWEST:
        raise ShapeError(f"the scores need {FEWEST} sounds or more, not {len(z)}")
    order = np.random.default_rng(seed).permutation(len(z))
    learned, tested = order[: 2 * len(z) // 3], order[2 * len(z) // 3 :]
    importance, predicted = np.zeros((z.shape[1], len(values))), []
    for k, column in enumerate(values):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=min(_LEAF, max(1, len(z) // 20)), random_state=seed)
        forest.fit(z[learned], column[learned])
        importance[:, k] = forest.feature_importances_
        spread = np.square(column[tested] - column[learned].mean()).sum()
        missed = np.square(column[tested] - forest.predict(z[tested])).sum()
        predicted.append(max(0.0, 1 - missed / spread) if spread > 0 else 0.0)
    importance = importance * np.array(predicted)
    shares = importance / max(importance.sum(), 1e-12)
    disentangled = shares.sum(1) @ [_purity(row) for row in importance]
    complete = shares.sum(0) @ [_purity(column) for column in importance.T]
    return Dci(float(disentangled), float(complete), float(np.mean(predicted)))


def _purity(shares: NDArray[np.float64]) -> float:
    """1 less the entropy of the shares over that of equal ones; 1 where there is one share only, 0 where all are 0."""
    total = shares.sum()
    if not total > 0:
        return 0.0
    if len(shares) < 2:
        return 1.0
    p = shares[shares > 0] / total
    return float(1 + (p * np.log(p)).sum() / np.log(len(shares)))
