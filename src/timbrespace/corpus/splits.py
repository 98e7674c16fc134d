"""The train / validation / test split, by group.

About 80 / 10 / 10 % of the clips go to train / validation / test, category by category. Small corpora:

- fewer than 10 clips: the smallest group is validation, all others train, there is no test split;
- a single group of two clips or more (a few segments of one recording, or all near-duplicates): in order, the last clips are
  validation and, from 10 clips on, test; clips of one sound stay together, and a group that is one sound all over is train;
- one clip: train.

A validation or test split that the corpus brings itself is kept; only a missing one is drawn from the other clips.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

_SHARE = {"validation": 0.1, "test": 0.1}
_SMALL = 10  # clips; below, there is no test split


def assign_splits(
    groups: Sequence[str],
    categories: Sequence[str | None],
    *,
    seed: int = 0,
    given: Sequence[str | None] | None = None,
    sounds: Sequence[int] | None = None,
) -> list[str]:
    """'train', 'validation' or 'test' for each clip; deterministic for the same groups, categories and seed.

    Categories and their groups are visited in an order drawn from the seed. A group goes to validation or test as soon as that split
    is short of its share by at least half the group. given: splits of the corpus itself, None for a clip without one. Clips given to
    validation or test stay there, and no other clip joins that split; a split without given clips is drawn from the others.
    sounds: a number for each clip, equal for near-duplicates; default: no clip repeats another. It counts where there is one group.
    """
    fixed = {name for name in given or () if name in _SHARE}
    sounds = range(len(groups)) if sounds is None else sounds
    if not given or not fixed:
        return _draw_splits(groups, categories, sounds, seed, tuple(_SHARE))
    free = [i for i, name in enumerate(given) if name not in fixed]
    out = [name or "train" for name in given]
    drawn = _draw_splits(
        [groups[i] for i in free],
        [categories[i] for i in free],
        [sounds[i] for i in free],
        seed,
        tuple(name for name in _SHARE if name not in fixed),
    )
    for i, name in zip(free, drawn, strict=True):
        out[i] = name
    return out


def _draw_splits(
    groups: Sequence[str], categories: Sequence[str | None], sounds: Sequence[int], seed: int, names: tuple[str, ...]
) -> list[str]:
    """The split by group into train and the splits `names`."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    if not names:
        return ["train"] * len(groups)
    if len(members) == 1:
        return _in_order(sounds, names)
    kinds = {group: categories[rows[0]] or "" for group, rows in members.items()}
    order = sorted(members, key=lambda group: (_hash(seed, "category", kinds[group]), kinds[group], _hash(seed, "group", group), group))
    where = dict.fromkeys(order, "train")
    if len(groups) < _SMALL:
        if "validation" in names and order:
            where[min(order, key=lambda group: len(members[group]))] = "validation"
        return [where[group] for group in groups]
    deficit = dict.fromkeys(names, 0.0)
    for group in order:
        size = len(members[group])
        for name in names:
            deficit[name] += _SHARE[name] * size
        name = max(deficit, key=lambda key: (deficit[key], key))
        if deficit[name] >= size / 2:
            where[group] = name
            deficit[name] -= size
    _fill(where, members, names)
    return [where[group] for group in groups]


def _fill(where: dict[str, str], members: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """Fills an empty validation split, and an empty test split if train can spare a small group; train never becomes empty."""
    total = sum(len(rows) for rows in members.values())
    for name in names:
        spare = [group for group, split_name in where.items() if split_name == "train"]
        if name in where.values() or len(spare) < 2:
            continue
        smallest = min(spare, key=lambda group: len(members[group]))
        if name == "validation" or len(members[smallest]) <= 0.2 * total:
            where[smallest] = name


def _in_order(sounds: Sequence[int], names: tuple[str, ...]) -> list[str]:
    """The split of the clips of a single group: train, then validation, then test."""
    count = len(sounds)
    if len(set(sounds)) < count:
        return _in_order_of_sounds(sounds, names)
    if count < 2:
        return ["train"] * count
    last = max(1, round(_SHARE["validation"] * count))
    validation = last if "validation" in names else 0
    tests = last if count >= _SMALL and "test" in names else 0
    return ["train"] * (count - validation - tests) + ["validation"] * validation + ["test"] * tests


def _in_order_of_sounds(sounds: Sequence[int], names: tuple[str, ...]) -> list[str]:
    """As `_in_order` where sounds repeat: the sounds are split, by their first clips, and every clip follows its sound."""
    order = list(dict.fromkeys(sounds))
    where = dict(zip(order, _in_order(range(len(order)), names), strict=True))
    return [where[sound] for sound in sounds]


def _hash(seed: int, kind: str, text: str) -> str:
    """A pseudo-random sort key."""
    return hashlib.sha256(f"{seed}/{kind}/{text}".encode("utf-8", "surrogatepass")).hexdigest()
