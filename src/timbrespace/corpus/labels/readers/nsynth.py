"""NSynth: `examples.json` and `audio/NAME.wav`, in one folder or in several side by side (nsynth-train, -valid, -test).

Category is the family. Notes of one instrument stay together, and where several of the corpus' own splits lie there, they hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timbrespace.corpus.labels.readers.labels import FileLabels, Listing, prefix_of, safe, told, word
from timbrespace.corpus.labels.readers.tables import RowError, entries, json_number, json_text, json_whole

NEEDS = "it needs examples.json and audio/, in the folder or in nsynth-train, nsynth-valid, nsynth-test below it"
_TABLE = "examples.json"
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def find(folder: Path) -> Path | None:
    """`folder`, where it holds one of the corpus' splits or several."""
    return folder if _parts(folder) else None


def _parts(folder: Path) -> list[Path]:
    """The folders with examples.json and audio/: `folder` alone, or those right in it."""

    def marks(path: Path) -> bool:
        return (path / _TABLE).is_file() and (path / "audio").is_dir()

    if marks(folder):
        return [folder]
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir() and marks(path))
    except OSError:
        return []


def read(base: Path, folder: Path, files: frozenset[str]) -> Listing:
    """Pitch, velocity, instrument, family, source and qualities of each note. Raises CorpusError."""
    listing = Listing(names_speak=False, estimate=False)
    parts = _parts(base)
    for part in parts:
        prefix = prefix_of(part, folder)
        split = _split(part.name) if len(parts) > 1 else None
        for key, entry in entries(part / _TABLE, name=prefix + _TABLE):
            where = f"{prefix}{_TABLE}, note {key[:80]!r}"
            file = f"{prefix}audio/{key}.wav" if "/" not in key and safe(key) else None
            try:
                if file is None:
                    raise RowError(f"{where}: a plain name is needed")
                labels = _labels(entry, split, where)
            except RowError as error:
                listing.refuse(file, str(error), where=where, present=files)
            else:
                listing.add(file, labels, where=where, present=files)
    return listing


def _split(name: str) -> str | None:
    return next((split for word_, split in _SPLITS.items() if word_ in name.lower()), None)


def _labels(entry: dict[str, Any], split: str | None, where: str) -> FileLabels:
    instrument = json_text(entry, "instrument_str", where=where)
    family = json_text(entry, "instrument_family_str", where=where)
    qualities = entry.get("qualities_str") or []
    if not isinstance(qualities, list) or not all(isinstance(one, str) for one in qualities):
        raise RowError(f"{where}, qualities_str: {qualities!r:.60}, a list of texts is needed")
    source = entry.get("instrument_source_str")
    return FileLabels(
        category=word(family),
        instrument=word(instrument),
        pitch=json_number(entry, "pitch", 0, 127, where=where),
        velocity=json_whole(entry, "velocity", 1, 127, where=where),
        group=instrument,
        split=split,
        labels=told(source=source if isinstance(source, str) else None, qualities=", ".join(qualities)),
    )
