"""Where the sounds of an instrument came from: a note in its file by which a later training finds the old sounds again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX

if TYPE_CHECKING:
    from torch import Tensor


def make_origin(sources: Sequence[Path | str | Corpus], corpus: Corpus, out: Path) -> dict[str, Any]:
    """The note on the sounds of a new instrument: paths of the folders or corpora, and digests of the held-out clips.

    A path is relative to the folder of the instrument `out`, so that both can be moved together; there is none for a synthetic corpus, or
    on another drive. A stripped instrument has no note.
    """
    note: dict[str, Any] = {"paths": []}
    for split in ("validation", "test"):
        note[split] = [digest_of(corpus, i) for i in corpus.indices(split)]
    for source in sources:
        path = source.path if isinstance(source, Corpus) else source
        if not str(path).startswith(SYNTHETIC_PREFIX):
            with suppress(ValueError):  # another drive
                relative = PurePath(os.path.relpath(Path(path).resolve(), out.resolve().parent)).as_posix()
                note["paths"] += [relative] if relative not in note["paths"] else []
    return note


def digest_of(corpus: Corpus, index: int) -> str:
    """A short digest of the samples of a clip."""
    return digest_of_audio(corpus.audio(index))


def digest_of_audio(audio: Tensor) -> str:
    """A short digest of the samples of a clip `(channels, time)`, float32, as its corpus holds it."""
    return hashlib.blake2b(audio.numpy().tobytes(), digest_size=8).hexdigest()


def origin_paths(note: Mapping[str, Any], instrument: Path) -> list[Path]:
    """The folders and corpora that the note of an instrument file names, whether they exist or not."""
    paths = note.get("paths")
    named = [path for path in paths if isinstance(path, str) and path] if isinstance(paths, list) else []
    return [Path(os.path.normpath(instrument.resolve().parent / path)) for path in named]


def held_out_split(note: Mapping[str, Any], digest: str) -> str | None:
    """'validation' or 'test' if the clip with this digest was held out of the instrument's training; else None."""
    return next((name for name in ("validation", "test") if isinstance(note.get(name), list) and digest in note[name]), None)
