"""Groups of clips that stay in one split: the clips of one file, the velocity layers of one hit, near-duplicates.

A recording that is cut into ten clips or more makes ten groups, each a tenth of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_MAX_LAYERS = 8  # files that differ only in a number are layers of one hit up to this many


def connected_components(count: int, pairs: np.ndarray) -> np.ndarray:
    """Component of each of 0 … count-1 under the edges `pairs (n, 2)`: `(count,)` int, named by its smallest member."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as label_components

    if not count:
        return np.zeros(0, np.int64)
    edges = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels = label_components(edges, directed=False)[1]
    smallest = np.unique(labels, return_index=True)[1]
    return np.asarray(smallest[labels], dtype=np.int64)


def layer_pairs(keys: Sequence[tuple[str, str, bool]]) -> np.ndarray:
    """Pairs `(n, 2)` of clips that are layers of one hit.

    keys: (folder, key, explicit) of every clip, see `names.layer_key`. Clips that differ only in a number are layers up to eight
    files: 'Kick 01' … 'Kick 80' are eighty kicks.
    """
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, (folder, key, _) in enumerate(keys):
        members[folder, key].append(index)
    pairs = []
    for rows in members.values():
        layers = rows if len(rows) <= _MAX_LAYERS else [row for row in rows if keys[row][2]]
        pairs += list(pairwise(layers))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def file_pairs(files: Sequence[str], *, blocks: int = 10) -> list[tuple[int, int]]:
    """Pairs of successive clips of one file; of a file with `blocks` clips or more, only within each of `blocks` equal parts."""
    count, place = Counter(files), Counter[str]()
    parts = []
    for file in files:
        parts.append((file, place[file] * blocks // count[file] if count[file] >= blocks else 0))
        place[file] += 1
    return [(i, i + 1) for i in range(len(files) - 1) if parts[i] == parts[i + 1]]
