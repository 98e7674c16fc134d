"""The format of a corpus folder: its files, its version, and ClipInfo, the fields of a line of the manifest.

corpus.json        format, version, counts and options
audio.npy          (total samples, channels) float32: all clips, one after the other
offsets.npy        (clips + 1,) int64: clip i is audio[offsets[i] : offsets[i + 1]]
manifest.jsonl     one JSON object per clip with the fields of ClipInfo
skipped.jsonl      {"file", "reason"} of every file that could not be used
remarks.jsonl      optional: {"file", "kind", "text"} of oddities of files that were nevertheless read
files.jsonl        of a corpus made from a folder: size, time and digest of every file that was read, see `prepared.records`
left_out.jsonl     optional: {"file", "start_s", "reason"} of files and clips that were not selected
stft.npy, stft_offsets.npy    optional: (total frames, channels, bins) complex64 and its offsets
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from timbrespace.contracts import CorpusError
from timbrespace.corpus.labels.values import Scalar, are_labels, is_category, is_number, is_relative_path, is_whole_number

FORMAT, VERSION = "timbrespace-corpus", 2
READABLE = (1, 2)  # versions; fields that version 1 lacks get their defaults
HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED = "corpus.json", "audio.npy", "offsets.npy", "manifest.jsonl", "skipped.jsonl"
REMARKS, LEFT_OUT, STFT, STFT_OFFSETS = "remarks.jsonl", "left_out.jsonl", "stft.npy", "stft_offsets.npy"
RECORDS = "files.jsonl"
FILES = frozenset((HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED, REMARKS, LEFT_OUT, STFT, STFT_OFFSETS, RECORDS))
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """One clip of a corpus: a line of the manifest.

    name: relative path without suffix, with "#k" for the k-th clip of a cut file. file: relative path. start_s: start of the clip in
    its file, s. seconds: its length. group: clips of one group are in the same `split`. gain_db: gain applied by normalisation.
    source_rate: Hz. pitch: MIDI number (60 = C4) or None. pitch_confidence: 0 … 1 where the pitch was estimated; None where it is from
    labels or the name, or was not estimated. velocity: 1 … 127 or None. instrument: finer than, or beside, the category. labels:
    all other labels, plain numbers and texts (drawn parameters, fold, composer).
    """

    id: int
    name: str
    file: str
    start_s: float
    seconds: float
    category: str | None
    group: str
    split: str
    gain_db: float
    source_rate: int
    source_channels: int
    pitch: float | None
    velocity: int | None
    instrument: str | None = None
    pitch_confidence: float | None = None
    labels: Mapping[str, Scalar] = field(default_factory=dict)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "id": lambda v: is_whole_number(v) and v >= 0,
    "name": lambda v: isinstance(v, str) and is_relative_path(v),
    "file": lambda v: isinstance(v, str) and is_relative_path(v),
    "start_s": lambda v: is_number(v) and v >= 0,
    "seconds": lambda v: is_number(v) and v > 0,
    "category": lambda v: v is None or (isinstance(v, str) and is_category(v)),
    "group": lambda v: isinstance(v, str) and bool(v),
    "split": lambda v: v in SPLITS,
    "gain_db": is_number,
    "source_rate": lambda v: is_whole_number(v) and v > 0,
    "source_channels": lambda v: is_whole_number(v) and v > 0,
    "pitch": lambda v: v is None or is_number(v),
    "velocity": lambda v: v is None or (is_whole_number(v) and 0 <= v <= 127),
    "instrument": lambda v: v is None or (isinstance(v, str) and is_category(v)),
    "pitch_confidence": lambda v: v is None or (is_number(v) and 0 <= v <= 1),
    "labels": are_labels,
}
FIELDS = tuple(one.name for one in fields(ClipInfo))
_SINCE_VERSION_2 = frozenset(("instrument", "pitch_confidence", "labels"))


def manifest_row(clip: ClipInfo) -> dict[str, Any]:
    """The manifest line of a clip as a dict of plain values."""
    return {name: getattr(clip, name) for name in FIELDS}


def parse_manifest_row(value: Any, *, where: str, version: int = VERSION) -> ClipInfo:
    """The ClipInfo of a parsed manifest line; a line of version 1 has no instrument, pitch_confidence and labels.

    where: file and line, for messages. Raises CorpusError that names `where` and the missing or wrong field.
    """
    if not isinstance(value, dict):
        raise CorpusError(f"{where} is not a JSON object; prepare the corpus again")
    names = FIELDS if version > 1 else [name for name in FIELDS if name not in _SINCE_VERSION_2]
    for name in names:
        if name not in value:
            raise CorpusError(f"{where} lacks {name!r}; prepare the corpus again")
        try:
            valid = _CHECKS[name](value[name])
        except TypeError:  # an unhashable value
            valid = False
        if not valid:
            raise CorpusError(f"{where}: {name} is {value[name]!r:.80}, which is not possible; prepare the corpus again")
    return ClipInfo(**{name: value[name] for name in names})
