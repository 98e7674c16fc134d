"""NSynth: `examples.json` and `audio/NAME.wav`, in one folder or in several side by side (nsynth-train, -valid, -test).

The category is the family. Notes of one instrument stay in one split; if several splits of the corpus are present, they are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels, inner_folders, is_safe_name, prefix_of
from timbrespace.corpus.labels.readers.tables import RowError, json_entries, json_number, json_text, json_whole
from timbrespace.corpus.labels.values import clean_category, clean_labels
from timbrespace.paths import is_file, is_folder

NEEDS = "it needs examples.json and audio/, in the folder or in nsynth-train, nsynth-valid, nsynth-test below it"
_TABLE = "examples.json"
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def find(folder: Path) -> Path | None:
    """`folder`, if it holds one or several splits of the corpus, or None."""
    return folder if _parts(folder) else None


def _parts(folder: Path) -> list[Path]:
    """The folders with examples.json and audio/: `folder` alone, or those directly in it."""

    def is_part(path: Path) -> bool:
        return is_file(path / _TABLE) and is_folder(path / "audio")

    if is_part(folder):
        return [folder]
    return [path for path in inner_folders(folder) if is_part(path)]


def read(base: Path, folder: Path, files: frozenset[str]) -> CorpusLabels:
    """Labels of each note: pitch, velocity, instrument, family, source, qualities. Raises CorpusError."""
    out = CorpusLabels(use_names=False, estimate_pitch=False)
    parts = _parts(base)
    for part in parts:
        prefix = prefix_of(part, folder)
        split = _split(part.name) if len(parts) > 1 else None
        for key, entry in json_entries(part / _TABLE, name=prefix + _TABLE):
            where = f"{prefix}{_TABLE}, note {key[:80]!r}"
            file = f"{prefix}audio/{key}.wav" if "/" not in key and is_safe_name(key) else None
            try:
                if file is None:
                    raise RowError(f"{where}: a plain name is needed")
                labels = _labels(entry, split, where)
            except RowError as error:
                out.refuse(file, str(error), where=where, present=files)
            else:
                out.add(file, labels, where=where, present=files)
    return out


def _split(name: str) -> str | None:
    return next((split for part, split in _SPLITS.items() if part in name.lower()), None)


def _labels(entry: dict[str, Any], split: str | None, where: str) -> FileLabels:
    instrument = json_text(entry, "instrument_str", where=where)
    family = json_text(entry, "instrument_family_str", where=where)
    qualities = entry.get("qualities_str") or []
    if not isinstance(qualities, list) or not all(isinstance(one, str) for one in qualities):
        raise RowError(f"{where}, qualities_str: {qualities!r:.60}, a list of texts is needed")
    source = entry.get("instrument_source_str")
    return FileLabels(
        category=clean_category(family),
        instrument=clean_category(instrument),
        pitch=json_number(entry, "pitch", 0, 127, where=where),
        velocity=json_whole(entry, "velocity", 1, 127, where=where),
        group=instrument,
        split=split,
        labels=clean_labels(source=source if isinstance(source, str) else None, qualities=", ".join(qualities)),
    )
