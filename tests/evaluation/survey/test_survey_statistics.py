"""The statistics of a survey against scipy, scikit-posthocs and closed forms."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from scipy import stats

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.statistics import cliffs_delta, compare, recognise, size_of
from timbrespace.evaluation.survey.wording import read_comparison, read_recognition

scikit_posthocs = pytest.importorskip("scikit_posthocs")


def ratings(shifts: dict[str, float], *, listeners: int = 12, each: int = 6, seed: int = 0) -> dict[str, list[tuple[str, float]]]:
    rng = np.random.default_rng(seed)
    return {
        name: [
            (f"listener{listener}", float(np.clip(round(3 + shift + rng.normal(0, 0.8)), 1, 5)))
            for listener in range(listeners)
            for _ in range(each)
        ]
        for name, shift in shifts.items()
    }


def test_tests_equal_those_of_scipy_and_posthocs() -> None:
    rows = ratings({"real": 0.8, "new": 0.2, "cut": -0.6})
    values = [[value for _, value in one] for one in rows.values()]
    found = compare(rows)
    kruskal = stats.kruskal(*values)
    assert found.statistic == pytest.approx(kruskal.statistic)
    assert found.p == pytest.approx(kruskal.pvalue)
    assert found.levene == pytest.approx(stats.levene(*values).pvalue)
    assert found.epsilon2 == pytest.approx(kruskal.statistic / (3 * 72 - 1))
    dunn = scikit_posthocs.posthoc_dunn(values, p_adjust="holm").to_numpy()
    assert [(pair.a, pair.b) for pair in found.pairs] == [("real", "new"), ("real", "cut"), ("new", "cut")]
    assert [pair.p for pair in found.pairs] == pytest.approx([dunn[0, 1], dunn[0, 2], dunn[1, 2]])
    means = np.array(values).reshape(3, 12, 6).mean(-1)
    assert found.within == pytest.approx(stats.friedmanchisquare(*means).pvalue)
    assert found.listeners == 12
    for name, one in zip(rows, values, strict=True):
        assert found.groups[name].normal == pytest.approx(stats.shapiro(one).pvalue)


def test_dunns_test_of_known_ranks() -> None:
    """Two groups without ties, no correction to make: z = difference of mean ranks over sqrt(N (N + 1) / 12 (1 / a + 1 / b))."""
    rows = {"a": [(str(i), float(i)) for i in range(5)], "b": [(str(i), 10.0 + i) for i in range(5)]}
    z = 5 / math.sqrt(10 * 11 / 12 * (2 / 5))
    assert compare(rows).pairs[0].p == pytest.approx(2 * stats.norm.sf(z))
    assert compare(rows).pairs[0].delta == -1


def test_two_conditions_are_compared_within_listeners_by_wilcoxon() -> None:
    rows = ratings({"a": 0.5, "b": -0.5})
    means = np.array([[value for _, value in one] for one in rows.values()]).reshape(2, 12, 6).mean(-1)
    assert compare(rows).within == pytest.approx(stats.wilcoxon(means[0], means[1]).pvalue)


def test_intervals_widen_when_one_listener_gives_all_ratings_alike() -> None:
    """Ten ratings of each of four listeners who each give one number are no more than four numbers."""
    alike = {"a": [(f"l{i}", float(1 + i)) for i in range(4) for _ in range(10)], "b": [("l0", 3.0), ("l1", 3.0)]}
    low, high = compare(alike).groups["a"].interval
    assert high - low > 1.5
    apart = {"a": [(f"l{i}-{k}", float(1 + i)) for i in range(4) for k in range(10)], "b": alike["b"]}
    low, high = compare(apart).groups["a"].interval
    assert high - low < 0.9


def test_equal_ratings_have_no_test() -> None:
    found = compare({"a": [("x", 3.0)] * 5, "b": [("y", 3.0)] * 5})
    assert found.p is found.levene is found.within is None
    assert not found.pairs
    assert "too few different" in " ".join(read_comparison(found, "quality"))


def test_one_rating_each_is_survived() -> None:
    assert compare({"a": [("x", 3.0)], "b": [("y", 4.0)]}).p is None
    assert compare({"a": [("x", 3.0)], "b": [("y", 4.0)], "c": [("y", 4.0)]}).levene is None


def test_a_condition_without_ratings_is_refused() -> None:
    with pytest.raises(ConfigError, match="no ratings"):
        compare({"a": [("x", 1.0)], "b": []})


def test_cliffs_delta() -> None:
    assert cliffs_delta([2, 3], [1, 1]) == 1
    assert cliffs_delta([1, 3], [2, 2]) == 0
    assert cliffs_delta([1, 2], [1, 2]) == 0
    assert cliffs_delta([1, 1], [1, 2]) == -0.5
    assert [size_of(delta) for delta in (0.1, -0.2, 0.4, -0.9)] == ["negligible", "small", "medium", "large"]


def test_recognition_equals_a_chi_square_test_by_hand() -> None:
    rows = [("a", "kick", "kick", True)] * 30 + [("a", "kick", "snare", False)] * 10
    rows += [("b", "kick", "kick", True)] * 18 + [("b", "kick", "tom", False)] * 22
    found = recognise(rows, chance=1 / 4)
    expected = np.array([[24, 16], [24, 16]])
    chi = ((np.array([[30, 10], [18, 22]]) - expected) ** 2 / expected).sum()
    assert found.p == pytest.approx(stats.chi2.sf(chi, 1))
    assert found.v == pytest.approx(math.sqrt(chi / 80))
    assert found.right == {"a": (30, 40), "b": (18, 40)}
    assert found.answers["b"] == {"kick": {"kick": 18, "tom": 22}}
    assert not found.sparse
    assert "a 75 %, b 45 % (guessing gives 25 %)" in read_recognition(found)[0]


def test_recognition_of_one_condition_or_of_all_right_has_no_test() -> None:
    assert recognise([("a", "kick", "kick", True)] * 5, chance=1 / 2).p is None
    assert recognise([("a", "kick", "kick", True), ("b", "kick", "kick", True)], chance=1 / 2).p is None
    assert recognise([("a", "k", "k", True), ("b", "k", "s", False)], chance=1 / 2).sparse


def test_a_difference_is_found_and_put_in_words() -> None:
    text = " ".join(read_comparison(compare(ratings({"real": 1.0, "new": -1.0})), "quality"))
    assert "real is rated better than new: a large difference (p < 0.001)" in text
    assert "agrees" in text
    none = " ".join(read_comparison(compare(ratings({"real": 0.0, "new": 0.0}, seed=3)), "quality"))
    assert "No difference was found" in none
    assert "does not prove" in none


def test_false_alarms_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 comparisons of equal conditions about one in twenty is called different, by the test and by Holm's pairs together."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)  # statsmodels collects after every correction, which takes long in a large process
    found = [compare(ratings({"a": 0, "b": 0, "c": 0}, listeners=8, each=3, seed=seed)) for seed in range(60)]
    alarms = sum(one.p is not None and one.p < 0.05 for one in found)
    assert alarms <= 10  # binomial, 60 at 0.05: 3 expected, more than 10 are beyond 0.999
    assert sum(any(pair.p < 0.05 for pair in one.pairs) for one in found) <= 10


@pytest.mark.parametrize(
    ("values", "levene"),
    [(((2, 2, 3, 3), (5, 5, 4, 4)), None), (((1, 3), (2, 3)), 0.0), (((2, 2), (5, 5)), None), (((2,), (5, 4, 3)), None)],
)
def test_a_few_ratings_are_compared_without_warnings(values: tuple[tuple[float, ...], ...], levene: float | None) -> None:
    rows = {name: [("abcd"[place % 4], float(value)) for place, value in enumerate(one)] for name, one in zip("xy", values, strict=True)}
    found = compare(rows)
    assert found.levene == levene
    assert found.statistic == pytest.approx(stats.kruskal(*values).statistic)
