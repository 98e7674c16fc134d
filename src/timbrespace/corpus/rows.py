"""What a corpus folder holds, and the one description of a clip that its manifest repeats for each.

corpus.json        format, version and figures of the whole
audio.npy          (total samples, channels) float32, all clips one after the other
offsets.npy        (clips + 1,) int64: clip i is audio[offsets[i] : offsets[i + 1]]
manifest.jsonl     one JSON object per clip, the fields of ClipInfo
skipped.jsonl      {"file", "reason"} for everything that could not be used
left_out.jsonl     optional: {"name", "file", "start_s"} of the clips that a choice of the most diverse left out
stft.npy, stft_offsets.npy    optional: (total frames, channels, bins) complex64 and its offsets
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from timbrespace.contracts import CorpusError

FORMAT, VERSION = "timbrespace-corpus", 2
READABLE = (1, 2)  # versions; what version 1 lacks gets defaults
HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED = "corpus.json", "audio.npy", "offsets.npy", "manifest.jsonl", "skipped.jsonl"
LEFT_OUT, STFT, STFT_OFFSETS = "left_out.jsonl", "stft.npy", "stft_offsets.npy"
FILES = frozenset((HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED, LEFT_OUT, STFT, STFT_OFFSETS))
SPLITS = ("train", "validation", "test")
LABELS, LONGEST_LABEL = 64, 200  # labels a clip may have, and characters of a text among them
Scalar = float | int | str


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """One clip of a corpus: a line of the manifest.

    `name` is the relative path without suffix, "#k" behind it for the k-th piece of a cut file; `file` the relative path itself;
    `start_s` where the clip begins in its file, `seconds` its length; `gain_db` the gain that was applied to normalise it;
    `pitch` a MIDI note number (60 = C4) and `velocity` 1…127 where labels or the name tell them. Where neither tells the pitch it
    may be estimated; `pitch_confidence` (0…1) is then how sure, and None otherwise. `instrument` is what was played, finer than or
    beside the category; `labels` whatever else is known: plain numbers and texts (drawn parameters, fold, composer).
    Clips of one `group` share a `split`.
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


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def inside(path: str) -> bool:
    """Is this a relative posix path that stays below its folder on any system?"""
    parts = path.replace("\\", "/").split("/")
    return bool(path) and not path.startswith(("/", "\\")) and ".." not in parts and "\0" not in path and path[1:3] not in (":/", ":\\")


def label(text: str) -> bool:
    """May this be a category? It ends up in file names, so no path and nothing unprintable."""
    return bool(text.strip(" .")) and text.isprintable() and not set('/\\:*?"<>|') & set(text)


def labels_fit(value: Any) -> bool:
    """Are these labels: at most 64 short printable names, each with a finite number or a text of at most 200 characters?"""
    if not isinstance(value, dict) or len(value) > LABELS:
        return False
    return all(
        isinstance(name, str)
        and 0 < len(name) <= 64
        and name.isprintable()
        and (len(one) <= LONGEST_LABEL if isinstance(one, str) else _number(one) and abs(one) <= 2**53)
        for name, one in value.items()
    )


_CHECKS = {
    "id": lambda v: _whole(v) and v >= 0,
    "name": lambda v: isinstance(v, str) and inside(v),
    "file": lambda v: isinstance(v, str) and inside(v),
    "start_s": lambda v: _number(v) and v >= 0,
    "seconds": lambda v: _number(v) and v > 0,
    "category": lambda v: v is None or (isinstance(v, str) and label(v)),
    "group": lambda v: isinstance(v, str) and bool(v),
    "split": lambda v: v in SPLITS,
    "gain_db": _number,
    "source_rate": lambda v: _whole(v) and v > 0,
    "source_channels": lambda v: _whole(v) and v > 0,
    "pitch": lambda v: v is None or _number(v),
    "velocity": lambda v: v is None or (_whole(v) and 0 <= v <= 127),
    "instrument": lambda v: v is None or (isinstance(v, str) and label(v)),
    "pitch_confidence": lambda v: v is None or (_number(v) and 0 <= v <= 1),
    "labels": labels_fit,
}
FIELDS = tuple(one.name for one in fields(ClipInfo))
_SINCE_2 = frozenset(("instrument", "pitch_confidence", "labels"))


def row_of(clip: ClipInfo) -> dict[str, Any]:
    """The manifest line of a clip, as plain values."""
    return {name: getattr(clip, name) for name in FIELDS}


def clip_from(value: Any, *, where: str, version: int = VERSION) -> ClipInfo:
    """Builds a ClipInfo from a parsed manifest line; raises CorpusError naming `where` and the field that is missing or wrong.

    A line of version 1 has no instrument, pitch_confidence and labels.
    """
    if not isinstance(value, dict):
        raise CorpusError(f"{where} is not a JSON object; prepare the corpus again")
    known = FIELDS if version > 1 else [name for name in FIELDS if name not in _SINCE_2]
    for name in known:
        if name not in value:
            raise CorpusError(f"{where} lacks {name!r}; prepare the corpus again")
        try:
            good = _CHECKS[name](value[name])
        except TypeError:  # an unhashable value
            good = False
        if not good:
            raise CorpusError(f"{where}: {name} is {value[name]!r:.80}, which is not possible; prepare the corpus again")
    return ClipInfo(**{name: value[name] for name in known})
