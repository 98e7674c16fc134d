"""Which listener hears which sounds in which order: balanced over conditions and sounds, random in order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timbrespace.contracts import ConfigError

_RUN = 2  # most items of one condition in a row
_TRIES = 200


def make_plans(
    groups: Sequence[Sequence[str]], checks: Sequence[str], *, listeners: int, items: int, repeats: int, seed: int
) -> list[list[str]]:
    """Returns a list of item names for each listener, in the order in which they are played.

    groups: the items of each condition. Every listener hears as many items of each condition as of any other (within one), and every
    item of a condition is played as often as any other of it (within one) over all listeners. At most two items of one condition follow
    each other where that is possible. checks: attention checks; each listener gets all of them, spread over the list. repeats: items that
    are played a second time in the second half, to see how steady the answers are. Raises ConfigError.
    """
    if not groups or any(not group for group in groups):
        raise ConfigError("a survey needs at least one sound of every condition")
    most = sum(map(len, groups))
    if not len(groups) <= items <= most:
        raise ConfigError(f"items is {items}, allowed is {len(groups)} (one of each condition) to {most} (all sounds)")
    rng = np.random.default_rng(seed)
    decks: list[list[str]] = [[] for _ in groups]
    plans = []
    for listener in range(listeners):
        counts = _shares(items, [len(group) for group in groups], first=listener)
        chosen: list[tuple[int, str]] = []
        for index, count in enumerate(counts):
            chosen += [(index, item) for item in _deal(decks[index], groups[index], count, rng)]
        order = _mixed(chosen, rng)
        plans.append(_with_checks(_with_repeats(order, repeats, rng), checks, rng))
    return plans


def _shares(items: int, sizes: Sequence[int], *, first: int) -> list[int]:
    """How many items each condition gets: even shares, the rest to the conditions from `first` on, none beyond its size."""
    counts = [0] * len(sizes)
    index = first
    while sum(counts) < items:
        place = index % len(sizes)
        lowest = min(count for count, size in zip(counts, sizes, strict=True) if count < size)
        if counts[place] < sizes[place] and counts[place] == lowest:
            counts[place] += 1
        index += 1
    return counts


def _deal(deck: list[str], group: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Takes `count` different items from a deck, in place; an empty deck is shuffled anew, so that all items are dealt equally often."""
    hand: list[str] = []
    while len(hand) < count:
        if not deck:
            deck.extend(group[index] for index in rng.permutation(len(group)))
        place = next((place for place, item in enumerate(deck) if item not in hand), None)
        if place is None:  # the rest of the deck is in the hand: the next deck begins behind it
            deck.extend(group[index] for index in rng.permutation(len(group)))
            continue
        hand.append(deck.pop(place))
    return hand


def _mixed(chosen: list[tuple[int, str]], rng: np.random.Generator) -> list[str]:
    """The items in random order, no condition more than twice in a row if one of some random orders has none."""
    best, longest = chosen, len(chosen) + 1
    for _ in range(_TRIES):
        order = [chosen[index] for index in rng.permutation(len(chosen))]
        run = _longest_run([condition for condition, _ in order])
        if run < longest:
            best, longest = order, run
        if longest <= _RUN:
            break
    return [item for _, item in best]


def _longest_run(conditions: Sequence[int]) -> int:
    longest = run = 0
    for index, condition in enumerate(conditions):
        run = run + 1 if index and condition == conditions[index - 1] else 1
        longest = max(longest, run)
    return longest


def _with_repeats(order: list[str], repeats: int, rng: np.random.Generator) -> list[str]:
    """The order with items of its first half once more in its second half."""
    half = len(order) // 2
    order = list(order)
    for index in rng.permutation(half)[: min(repeats, half)]:
        order.insert(int(rng.integers(max(half, index + 2), len(order) + 1)), order[index])
    return order


def _with_checks(order: list[str], checks: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The order with the checks spread over it: one in each of as many equal parts, the first of them at the very start."""
    order = list(order)
    length = len(order)
    for number in reversed(range(len(checks))):
        start, stop = number * length // len(checks), (number + 1) * length // len(checks)
        order.insert(0 if number == 0 else int(rng.integers(start, max(start + 1, stop))), checks[number])
    return order
