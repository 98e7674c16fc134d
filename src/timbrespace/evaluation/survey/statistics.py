"""Tests of a survey's answers: are the ratings of the conditions different, which of them, and how much?

Ratings on a scale of 1 to 5 are ordinal, and seldom normal (Shapiro-Wilk) with equal variances (Levene): so they are compared by ranks,
with the Kruskal-Wallis test, and pairs with Dunn's test, corrected after Holm. These tests take all ratings as independent, which several
ratings of one listener are not. So the same is tested on the listeners' own means: Friedman's test, or with two conditions Wilcoxon's
signed-rank test. Right and wrong answers are compared by a chi-square test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from timbrespace.contracts import ConfigError

LEVEL = 0.05  # below this p a difference is called one
_RESAMPLES = 2000


@dataclass(frozen=True)
class Group:
    """Ratings of one condition.

    interval: 95 % bootstrap interval of the mean, resampled by listener. normal: p of the Shapiro-Wilk test, None where not defined.
    """

    count: int
    mean: float
    median: float
    interval: tuple[float, float]
    normal: float | None


@dataclass(frozen=True)
class Pair:
    """Two conditions. p: of Dunn's test, after Holm. delta: Cliff's delta, -1 (all of `b` above all of `a`) to 1."""

    a: str
    b: str
    p: float
    delta: float


@dataclass(frozen=True)
class Comparison:
    """Ratings of several conditions. p values are None where a test is not defined (too few ratings, all equal).

    levene: p of equal variances. statistic, p: of Kruskal-Wallis. epsilon2: its effect size, 0 to 1. within: p of Friedman's or
    Wilcoxon's test on the listeners' means; listeners: how many it compares.
    """

    groups: dict[str, Group]
    levene: float | None = None
    statistic: float | None = None
    p: float | None = None
    epsilon2: float | None = None
    within: float | None = None
    listeners: int = 0
    pairs: list[Pair] = field(default_factory=list)


@dataclass(frozen=True)
class Recognition:
    """Right answers by condition. right: condition -> (right, all). chance: share expected by guessing. p: of the chi-square test.

    v: Cramér's V, 0 to 1. sparse: an expected count is under 5, so p is only approximate. answers: condition -> true -> given -> count.
    """

    right: dict[str, tuple[int, int]]
    chance: float
    p: float | None
    v: float | None
    sparse: bool
    answers: dict[str, dict[str, dict[str, int]]]


def compare(ratings: Mapping[str, Sequence[tuple[str, float]]], *, seed: int = 0) -> Comparison:
    """Returns the comparison of conditions. ratings: condition -> (listener, rating). Raises ConfigError for a condition without any."""
    from scipy import stats

    if not ratings or any(not rows for rows in ratings.values()):
        raise ConfigError("a condition has no ratings; nothing can be compared")
    values = {name: np.array([value for _, value in rows], dtype=float) for name, rows in ratings.items()}
    groups = {name: _group(rows, seed=seed) for name, rows in ratings.items()}
    every = np.concatenate(list(values.values()))
    if len(values) < 2 or len(every) < 3 or np.ptp(every) == 0:
        return Comparison(groups)
    statistic, p = stats.kruskal(*values.values())
    within, listeners = _within(ratings)
    return Comparison(
        groups, levene=_levene(list(values.values())), statistic=float(statistic), p=float(p),
        epsilon2=float(statistic) / (len(every) - 1), within=within, listeners=listeners, pairs=_pairs(values),
    )  # fmt: skip


def recognise(rows: Sequence[tuple[str, str, str, bool]], *, chance: float) -> Recognition:
    """Returns how often the right answer was given. rows: (condition, true, given, right). chance: share of right guesses."""
    from scipy import stats

    right: dict[str, tuple[int, int]] = {}
    answers: dict[str, dict[str, dict[str, int]]] = {}
    for condition, true, given, is_right in rows:
        hits, total = right.get(condition, (0, 0))
        right[condition] = (hits + is_right, total + 1)
        cell = answers.setdefault(condition, {}).setdefault(true, {})
        cell[given] = cell.get(given, 0) + 1
    table = np.array([[hits, total - hits] for hits, total in right.values()])
    if len(table) < 2 or (table.sum(0) == 0).any():
        return Recognition(right, chance, None, None, False, answers)
    result = stats.chi2_contingency(table, correction=False)
    v = math.sqrt(result.statistic / table.sum())
    return Recognition(right, chance, float(result.pvalue), v, bool((result.expected_freq < 5).any()), answers)


def cliffs_delta(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Returns P(a > b) - P(a < b) over all pairs (Cliff 1993)."""
    difference = np.sign(np.asarray(a, dtype=float)[:, None] - np.asarray(b, dtype=float)[None, :])
    return float(difference.mean())


def size_of(delta: float) -> str:
    """Returns the word for a Cliff's delta: limits of 0.147, 0.33 and 0.474 (Romano et al. 2006)."""
    words = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
    return next((word for limit, word in words if abs(delta) < limit), "large")


def as_json(value: Any) -> Any:
    """Returns dataclasses, tuples and numbers as plain JSON values; NaN and infinities become None."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _group(rows: Sequence[tuple[str, float]], *, seed: int) -> Group:
    from scipy import stats

    values = np.array([value for _, value in rows], dtype=float)
    normal = float(stats.shapiro(values).pvalue) if 3 <= len(values) <= 5000 and np.ptp(values) > 0 else None
    return Group(len(values), float(values.mean()), float(np.median(values)), _interval(rows, seed=seed), normal)


def _levene(values: Sequence[np.ndarray]) -> float | None:
    """p of Levene's test around the medians; None where it has none, as for ratings that are all equally far from their medians."""
    from scipy import stats

    if any(len(one) < 2 for one in values) or not any(np.ptp(one) > 0 for one in values):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        p = float(stats.levene(*values, center="median").pvalue)
    return p if math.isfinite(p) else None


def _interval(rows: Sequence[tuple[str, float]], *, seed: int) -> tuple[float, float]:
    """95 % interval of the mean: listeners are drawn with replacement, each with all their ratings."""
    listeners = sorted({listener for listener, _ in rows})
    place = {listener: index for index, listener in enumerate(listeners)}
    sums, counts = np.zeros(len(listeners)), np.zeros(len(listeners))
    for listener, value in rows:
        sums[place[listener]] += value
        counts[place[listener]] += 1
    drawn = np.random.default_rng(seed).integers(len(listeners), size=(_RESAMPLES, len(listeners)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _pairs(values: Mapping[str, np.ndarray]) -> list[Pair]:
    try:
        import scikit_posthocs
    except ModuleNotFoundError:
        raise ConfigError("the statistics of a survey need the extra 'survey'; install it: pip install 'timbrespace[survey]'") from None

    names = list(values)
    p = scikit_posthocs.posthoc_dunn([values[name] for name in names], p_adjust="holm").to_numpy()
    return [
        Pair(a, b, float(p[i, j]), cliffs_delta(values[a], values[b]))
        for i, a in enumerate(names)
        for j, b in enumerate(names[i + 1 :], start=i + 1)
    ]


def _within(ratings: Mapping[str, Sequence[tuple[str, float]]]) -> tuple[float | None, int]:
    """p of the test on the means of the listeners who rated every condition, and their number."""
    from scipy import stats

    means: list[dict[str, float]] = []
    for rows in ratings.values():
        own: dict[str, list[float]] = {}
        for listener, value in rows:
            own.setdefault(listener, []).append(value)
        means.append({listener: float(np.mean(some)) for listener, some in own.items()})
    common = sorted(set.intersection(*(set(one) for one in means)))
    table = np.array([[one[listener] for listener in common] for one in means])
    if len(common) < 3 or (table == table[0]).all():
        return None, len(common)
    p = stats.wilcoxon(table[0], table[1]).pvalue if len(table) == 2 else stats.friedmanchisquare(*table).pvalue
    return (float(p) if math.isfinite(p) else None), len(common)
