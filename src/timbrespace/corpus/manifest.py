"""The manifest of a corpus: names, labels, groups and splits, assigned when all clips are known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from timbrespace.corpus.fingerprint import near_pairs
from timbrespace.corpus.format import ClipInfo
from timbrespace.corpus.grouping import connected_components, file_pairs, layer_pairs
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.names import layer_key
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.splits import assign_splits


@dataclass(frozen=True, slots=True)
class DraftClip:
    """Known values of a clip when its audio is written; see `ClipInfo`. fingerprint: of clips that are compared with others."""

    file: str
    start_s: float
    seconds: float
    gain_db: float
    source_rate: int
    source_channels: int
    pitch: float | None = None
    pitch_confidence: float | None = None
    fingerprint: np.ndarray | None = None


@dataclass
class Draft:
    """Values collected while clips are written to disk; no audio.

    labels: by file. names: of synthetic clips, by file. separate: every clip is a group by itself.
    """

    offsets: list[int] = field(default_factory=lambda: [0])
    stft_offsets: list[int] = field(default_factory=lambda: [0])
    clips: list[DraftClip] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[dict[str, str]] = field(default_factory=list)
    labels: dict[str, FileLabels] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    separate: bool = False


def build_manifest(draft: Draft, *, seed: int) -> list[ClipInfo]:
    """The ClipInfo of every clip, in the order of the draft. seed: of the split."""
    files = [clip.file for clip in draft.clips]
    names = _clip_names(draft, files)
    labels = [draft.labels[file] for file in files]
    repeats = _near_duplicates(draft)
    groups = list(names) if draft.separate else _groups(draft, names, repeats)
    sounds = connected_components(len(files), repeats).tolist()
    splits = assign_splits(groups, [one.category for one in labels], seed=seed, given=[one.split for one in labels], sounds=sounds)
    out = []
    for i, (clip, own) in enumerate(zip(draft.clips, labels, strict=True)):
        pitch, more = (None, {}) if own.labels_at is None else own.labels_at(clip.start_s, clip.seconds)
        labelled = own.pitch if own.pitch is not None else pitch
        info = ClipInfo(
            id=i,
            name=names[i],
            file=clip.file,
            start_s=clip.start_s,
            seconds=clip.seconds,
            category=own.category,
            group=groups[i],
            split=splits[i],
            gain_db=clip.gain_db,
            source_rate=clip.source_rate,
            source_channels=clip.source_channels,
            pitch=clip.pitch if labelled is None else labelled,
            velocity=own.velocity,
            instrument=own.instrument,
            pitch_confidence=clip.pitch_confidence if labelled is None else None,
            labels={**own.labels, **more},
        )
        out.append(info)
    return out


def names_without_suffix(files: Sequence[str]) -> list[str]:
    """Relative names without suffix; with it where two files differ only in the suffix, and numbered if that is not enough."""
    stems = [file.rpartition(".")[0] if "." in file.rpartition("/")[2] else file for file in files]
    ambiguous = {stem for stem, count in Counter(stem.casefold() for stem in stems).items() if count > 1}
    names: list[str] = []
    seen: Counter[str] = Counter()
    for file, stem in zip(files, stems, strict=True):
        name = file if stem.casefold() in ambiguous else stem
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _clip_names(draft: Draft, files: Sequence[str]) -> list[str]:
    """The name of each clip: that of its file, with '#k' for the k-th clip of a cut file."""
    unique = list(dict.fromkeys(files))
    by_file = draft.names or dict(zip(unique, names_without_suffix(unique), strict=True))
    count, place = Counter(files), Counter[str]()
    names = []
    for file in files:
        place[file] += 1
        names.append(by_file[file] if count[file] == 1 else f"{by_file[file]}#{place[file]}")
    return names


def _groups(draft: Draft, names: Sequence[str], repeats: np.ndarray) -> list[str]:
    """The group of each clip, named after its first clip. Clips in different given splits are never grouped.

    repeats `(n, 2)`: pairs of near-duplicates.
    """
    files = [clip.file for clip in draft.clips]
    labels = [draft.labels[file] for file in files]
    pairs = file_pairs(files)
    members: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for i, own in enumerate(labels):
        if own.group is not None:
            members[own.group, own.split].append(i)
    for rows in members.values():
        pairs += pairwise(rows)
    edges = [np.array(pairs, dtype=np.int64).reshape(-1, 2), repeats]
    if not draft.names:
        edges.append(_layers(files, labels))
    joined = np.concatenate(edges)
    given = np.array([("validation", "test").index(own.split) if own.split in ("validation", "test") else -1 for own in labels])
    allowed = joined[given[joined[:, 0]] == given[joined[:, 1]]]
    return [names[first] for first in connected_components(len(files), allowed)]


def _layers(files: Sequence[str], labels: Sequence[FileLabels]) -> np.ndarray:
    """Pairs `(n, 2)` of clips that are layers of one hit, among whole files without a group of their own."""
    count = Counter(files)  # a clip of a cut recording is not a layer, whatever its number suggests
    whole = np.array([i for i in range(len(files)) if count[files[i]] == 1 and labels[i].group is None], dtype=np.int64)
    keys = []
    for i in whole.tolist():
        path = PurePosixPath(files[i])
        keys.append((str(path.parent), *layer_key(path.stem, is_drum=labels[i].category in DRUM_CATEGORIES)))
    return whole[layer_pairs(keys)]


def _near_duplicates(draft: Draft) -> np.ndarray:
    """Pairs `(n, 2)` of near-duplicate clips, among those without a group from a table."""
    compared = [
        (i, clip.fingerprint)
        for i, clip in enumerate(draft.clips)
        if clip.fingerprint is not None and draft.labels[clip.file].group is None
    ]
    if len(compared) < 2:
        return np.zeros((0, 2), np.int64)
    rows = np.array([i for i, _ in compared], dtype=np.int64)
    return rows[near_pairs(np.stack([fingerprint for _, fingerprint in compared]))]
