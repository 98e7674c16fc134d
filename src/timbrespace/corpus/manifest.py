"""What can be said of the clips only when all files are known: names, categories, pitches, groups, splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from timbrespace.corpus.categories import DRUM_CATEGORIES, categorise
from timbrespace.corpus.fingerprint import near_pairs
from timbrespace.corpus.layout import ClipInfo
from timbrespace.corpus.names import layer_key, pitch_and_velocity
from timbrespace.corpus.sources import unique_names
from timbrespace.corpus.splits import join, layer_pairs, split

_BLOCKS = 10  # groups that a recording cut into so many pieces or more makes, each a stretch of it


@dataclass
class Draft:
    """What is known of the clips while they are streamed to disk; no audio."""

    offsets: list[int] = field(default_factory=lambda: [0])
    stft_offsets: list[int] = field(default_factory=lambda: [0])
    prints: list[np.ndarray] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def describe(draft: Draft, rules: Mapping[str, str] | None, seed: int, *, root: str, names_given: bool) -> list[ClipInfo]:
    """The manifest's lines. `root`: the source folder's name. `names_given`: names and categories are in the draft (a synthesiser's)."""
    files = list(dict.fromkeys(row["file"] for row in draft.rows))
    count = Counter(row["file"] for row in draft.rows)
    if names_given:
        names = {row["file"]: row["name"] for row in draft.rows}
        given = {row["file"]: row["category"] for row in draft.rows}
        ruled = categorise(files, rules=rules) if rules else [None] * len(files)
        kinds = {file: rule or given[file] for file, rule in zip(files, ruled, strict=True)}
    else:
        names = dict(zip(files, unique_names(files), strict=True))
        kinds = dict(zip(files, categorise(files, rules=rules, root=root), strict=True))
    piece: Counter[str] = Counter()
    titles = []
    for row in draft.rows:
        file = row["file"]
        piece[file] += 1
        titles.append(names[file] if count[file] == 1 else f"{names[file]}#{piece[file]}")
    groups = _groups(draft, kinds, titles, numbered=names_given)
    splits = split(groups, [kinds[row["file"]] for row in draft.rows], seed=seed)
    clips: list[ClipInfo] = []
    for i, row in enumerate(draft.rows):
        file = row["file"]
        pitch, velocity = pitch_and_velocity(PurePosixPath(file).stem, is_drum=kinds[file] in DRUM_CATEGORIES)
        fields = {key: value for key, value in row.items() if key not in ("name", "category")}
        clips.append(
            ClipInfo(id=i, name=titles[i], category=kinds[file], group=groups[i], split=splits[i], pitch=pitch, velocity=velocity, **fields)
        )
    return clips


def _groups(draft: Draft, kinds: Mapping[str, str | None], titles: list[str], *, numbered: bool) -> list[str]:
    """The group of each clip, named after its first clip. `numbered`: names are mere numbers, no layers are read from them."""
    files = [row["file"] for row in draft.rows]
    count, place = Counter(files), Counter[str]()
    blocks = []
    for file in files:
        blocks.append((file, place[file] * _BLOCKS // count[file] if count[file] >= _BLOCKS else 0))
        place[file] += 1
    same = np.array([(i, i + 1) for i in range(len(files) - 1) if blocks[i] == blocks[i + 1]], dtype=np.int64).reshape(-1, 2)
    pairs = [same, near_pairs(np.stack(draft.prints))]
    if not numbered:
        keys = []
        for file in files:
            path = PurePosixPath(file)
            keys.append((str(path.parent), *layer_key(path.stem, is_drum=kinds[file] in DRUM_CATEGORIES)))
        # a recording that was cut is no layer of a hit, whatever its number says
        firsts = np.array([i for i in range(len(files)) if count[files[i]] == 1], dtype=np.int64)
        pairs.append(firsts[layer_pairs([keys[i] for i in firsts])])
    return [titles[first] for first in join(len(files), np.concatenate(pairs))]
