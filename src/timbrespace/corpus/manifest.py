"""What can be said of the clips when all files are known: names, categories, pitches, groups, splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from timbrespace.corpus.fingerprint import near_pairs
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES, _by_rule, categorise
from timbrespace.corpus.labels.names import instrument_of, layer_key, pitch_and_velocity
from timbrespace.corpus.labels.readers.labels import FileLabels, Listing
from timbrespace.corpus.rows import ClipInfo
from timbrespace.corpus.sources import unique_names
from timbrespace.corpus.splits import join, layer_pairs, split

_BLOCKS = 10  # groups that a recording cut into so many pieces or more makes, each a stretch of it


@dataclass(frozen=True, slots=True)
class DraftClip:
    """What is known of a clip when its sound is made; see `ClipInfo`. `print`: its fingerprint, where it is compared with others."""

    file: str
    start_s: float
    seconds: float
    gain_db: float
    source_rate: int
    source_channels: int
    pitch: float | None = None
    pitch_confidence: float | None = None
    print: np.ndarray | None = None


@dataclass
class Draft:
    """What is known while clips are streamed to disk; no audio. `known`: labels by file; `names`: of files that have no real name.

    `alone`: every clip is a group of its own.
    """

    offsets: list[int] = field(default_factory=lambda: [0])
    stft_offsets: list[int] = field(default_factory=lambda: [0])
    clips: list[DraftClip] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, FileLabels] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    alone: bool = False


def know(files: Sequence[str], listing: Listing, rules: Mapping[str, str] | None, *, root: str) -> dict[str, FileLabels]:
    """Labels of each file: the user's rules first, then the tables, then, where those may speak, file and folder names."""
    speaking = [file for file in files if listing.names_speak or file not in listing.files]
    kinds = dict(zip(speaking, categorise(speaking, rules=rules, root=root), strict=True))
    out = {}
    for file in files:
        told = listing.files.get(file)
        ruled = _by_rule(PurePosixPath(file), rules) if rules and told is not None else None
        labels = told or FileLabels()
        if ruled:
            labels = replace(labels, category=ruled)
        out[file] = from_name(file, labels, kinds[file]) if file in kinds else labels
    return out


def from_name(file: str, labels: FileLabels, kind: str | None) -> FileLabels:
    """Fills what is open from a file's name; `kind` is the category that names tell."""
    category = labels.category or kind
    is_drum = category in DRUM_CATEGORIES
    pitch, velocity = pitch_and_velocity(PurePosixPath(file).stem, is_drum=is_drum)
    return replace(
        labels,
        category=category,
        instrument=labels.instrument or (None if is_drum else instrument_of(file)),
        pitch=pitch if labels.pitch is None else labels.pitch,
        velocity=velocity if labels.velocity is None else labels.velocity,
    )


def describe(draft: Draft, *, seed: int) -> list[ClipInfo]:
    """The manifest's lines, in the draft's order."""
    files = [clip.file for clip in draft.clips]
    unique = list(dict.fromkeys(files))
    count = Counter(files)
    names = draft.names or dict(zip(unique, unique_names(unique), strict=True))
    place: Counter[str] = Counter()
    titles = []
    for file in files:
        place[file] += 1
        titles.append(names[file] if count[file] == 1 else f"{names[file]}#{place[file]}")
    known = [draft.known[file] for file in files]
    groups = list(titles) if draft.alone else _groups(draft, titles)
    splits = split(groups, [labels.category for labels in known], seed=seed, given=[labels.split for labels in known])
    out = []
    for i, (clip, labels) in enumerate(zip(draft.clips, known, strict=True)):
        pitch, more = (None, {}) if labels.moment is None else labels.moment(clip.start_s, clip.seconds)
        told = labels.pitch if labels.pitch is not None else pitch
        info = ClipInfo(
            id=i,
            name=titles[i],
            file=clip.file,
            start_s=clip.start_s,
            seconds=clip.seconds,
            category=labels.category,
            group=groups[i],
            split=splits[i],
            gain_db=clip.gain_db,
            source_rate=clip.source_rate,
            source_channels=clip.source_channels,
            pitch=clip.pitch if told is None else told,
            velocity=labels.velocity,
            instrument=labels.instrument,
            pitch_confidence=clip.pitch_confidence if told is None else None,
            labels={**labels.labels, **more},
        )
        out.append(info)
    return out


def _groups(draft: Draft, titles: Sequence[str]) -> list[str]:
    """The group of each clip, named after its first clip. Nothing is joined across validation or test as a corpus gives them."""
    files = [clip.file for clip in draft.clips]
    known = [draft.known[file] for file in files]
    count, place = Counter(files), Counter[str]()
    blocks = []
    for file in files:
        blocks.append((file, place[file] * _BLOCKS // count[file] if count[file] >= _BLOCKS else 0))
        place[file] += 1
    pairs = [(i, i + 1) for i in range(len(files) - 1) if blocks[i] == blocks[i + 1]]
    members: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for i, labels in enumerate(known):
        if labels.group is not None:
            members[labels.group, labels.split].append(i)
    for rows in members.values():
        pairs += pairwise(rows)
    joined = [np.array(pairs, dtype=np.int64).reshape(-1, 2), _near(draft)]
    if not draft.names:
        # a recording that was cut is no layer of a hit, whatever its number says; nor is what its corpus has put in a group
        firsts = np.array([i for i in range(len(files)) if count[files[i]] == 1 and known[i].group is None], dtype=np.int64)
        keys = []
        for i in firsts.tolist():
            path = PurePosixPath(files[i])
            keys.append((str(path.parent), *layer_key(path.stem, is_drum=known[i].category in DRUM_CATEGORIES)))
        joined.append(firsts[layer_pairs(keys)])
    edges = np.concatenate(joined)
    own = np.array([("validation", "test").index(labels.split) if labels.split in ("validation", "test") else -1 for labels in known])
    return [titles[first] for first in join(len(files), edges[own[edges[:, 0]] == own[edges[:, 1]]])]


def _near(draft: Draft) -> np.ndarray:
    """Pairs of clips that sound nearly the same, among those that no table puts into a group."""
    rows = [i for i, clip in enumerate(draft.clips) if clip.print is not None and draft.known[clip.file].group is None]
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = near_pairs(np.stack([draft.clips[i].print for i in rows]))  # type: ignore[misc]
    return np.array(rows, dtype=np.int64)[pairs]
