"""Plans of a survey: balanced, with every sound heard equally often, checks spread, repeats in the second half."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.plan import make_plans


def group(condition: int, size: int) -> list[str]:
    return [f"{condition}-{index}" for index in range(size)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.data())
def test_plans_are_balanced(sizes: list[int], data: st.DataObject) -> None:
    groups = [group(condition, size) for condition, size in enumerate(sizes)]
    items = data.draw(st.integers(len(groups), sum(sizes)))
    listeners = data.draw(st.integers(1, 9))
    plans = make_plans(groups, [], listeners=listeners, items=items, repeats=0, seed=data.draw(st.integers(0, 99)))
    assert len(plans) == listeners
    heard: Counter[str] = Counter()
    for plan in plans:
        assert len(set(plan)) == len(plan) == items
        heard.update(plan)
        by_condition = Counter(item.split("-")[0] for item in plan)
        full = [by_condition[str(c)] for c, size in enumerate(sizes) if by_condition[str(c)] < size]
        # A condition that has sounds left is at most one behind any other.
        assert not full or max(by_condition.values()) - min(full) <= 1
    for own in groups:
        counts = [heard[item] for item in own]
        assert max(counts) - min(counts) <= 1


def test_repeats_come_later_and_checks_are_spread() -> None:
    groups = [group(0, 10), group(1, 10)]
    for plan in make_plans(groups, ["c1", "c2", "c3"], listeners=20, items=20, repeats=3, seed=4):
        assert len(plan) == 26
        assert plan[0] == "c1"
        places = [plan.index(check) for check in ("c1", "c2", "c3")]
        assert places == sorted(places)
        assert places[2] - places[0] > 8
        twice = [item for item, count in Counter(plan).items() if count == 2]
        assert len(twice) == 3
        for item in twice:
            first, second = (place for place, name in enumerate(plan) if name == item)
            assert second - first >= 2


def test_conditions_seldom_follow_each_other() -> None:
    for plan in make_plans([group(0, 12), group(1, 12)], [], listeners=30, items=24, repeats=0, seed=0):
        conditions = [item[0] for item in plan]
        assert not any(conditions[i] == conditions[i + 1] == conditions[i + 2] == conditions[i + 3] for i in range(21))


def test_the_same_seed_gives_the_same_plans() -> None:
    arguments = {"listeners": 5, "items": 6, "repeats": 1}
    one, same, other = (make_plans([group(0, 6), group(1, 6)], ["c"], seed=seed, **arguments) for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert one == same != other


@pytest.mark.parametrize("items", [1, 9])
def test_an_impossible_number_of_items_is_refused(items: int) -> None:
    with pytest.raises(ConfigError, match="allowed is 2"):
        make_plans([group(0, 4), group(1, 4)], [], listeners=1, items=items, repeats=0, seed=0)
