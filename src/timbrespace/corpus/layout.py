"""What a corpus folder holds, and the one description of a clip that its manifest repeats for each.

corpus.json        format, version and figures of the whole
audio.npy          (total samples, channels) float32, all clips one after the other
offsets.npy        (clips + 1,) int64: clip i is audio[offsets[i] : offsets[i + 1]]
manifest.jsonl     one JSON object per clip, the fields of ClipInfo
skipped.jsonl      {"file", "reason"} for everything that was left out
stft.npy, stft_offsets.npy    optional: (total frames, channels, bins) complex64 and its offsets
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from timbrespace.contracts import CorpusError

FORMAT, VERSION = "timbrespace-corpus", 1
HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED = "corpus.json", "audio.npy", "offsets.npy", "manifest.jsonl", "skipped.jsonl"
STFT, STFT_OFFSETS = "stft.npy", "stft_offsets.npy"
FILES = frozenset((HEAD, AUDIO, OFFSETS, MANIFEST, SKIPPED, STFT, STFT_OFFSETS))
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """One clip of a corpus: a line of the manifest.

    `name` is the relative path without suffix, "#k" behind it for the k-th piece of a cut file; `file` the relative path itself;
    `start_s` where the clip begins in its file, `seconds` its length; `gain_db` the gain that was applied to normalise it;
    `pitch` a MIDI note number (60 = C4) and `velocity` 1…127 where the name tells them. Clips of one `group` share a `split`.
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
}
FIELDS = tuple(field.name for field in fields(ClipInfo))


def clip_from(value: Any, *, where: str) -> ClipInfo:
    """Builds a ClipInfo from a parsed manifest line; raises CorpusError naming `where` and the field that is missing or wrong."""
    if not isinstance(value, dict):
        raise CorpusError(f"{where} is not a JSON object; prepare the corpus again")
    for name in FIELDS:
        if name not in value:
            raise CorpusError(f"{where} lacks {name!r}; prepare the corpus again")
        try:
            good = _CHECKS[name](value[name])
        except TypeError:  # an unhashable value
            good = False
        if not good:
            raise CorpusError(f"{where}: {name} is {value[name]!r:.80}, which is not possible; prepare the corpus again")
    return ClipInfo(**{name: value[name] for name in FIELDS})
