"""ESC-50: `meta/esc50.csv` and `audio/*.wav`. Fold 5 is test, fold 4 validation; clips of one recording (src_file) stay together."""

from __future__ import annotations

from pathlib import Path

from timbrespace.corpus.labels.readers.labels import FileLabels, Listing, beside, prefix_of, safe, told, word
from timbrespace.corpus.labels.readers.tables import RowError, rows

NEEDS = "it needs meta/esc50.csv and audio/"
_TABLE = "meta/esc50.csv"
_COLUMNS = ("filename", "fold", "category", "src_file")
_SPLITS = {5: "test", 4: "validation"}


def find(folder: Path) -> Path | None:
    """The folder with meta/esc50.csv and audio/."""
    return beside(folder, lambda path: (path / _TABLE).is_file() and (path / "audio").is_dir())


def read(base: Path, folder: Path, files: frozenset[str]) -> Listing:
    """Category, recording, fold, take of each file. Raises CorpusError."""
    prefix = prefix_of(base, folder)
    listing = Listing(names_speak=False)
    for row in rows(base / _TABLE, name=prefix + _TABLE, columns=_COLUMNS):
        file = None
        try:
            name = row.needed("filename")
            if "/" in name or not safe(name):
                raise RowError(f"{row.where}, column filename: {name!r:.60}, a plain file name is needed")
            file = f"{prefix}audio/{name}"
            fold = row.whole("fold", 1, 5)
            recording = row.needed("src_file")
            target = row.whole("target", 0, 49) if row.text("target") else None
            more = told(fold=fold, target=target, esc10=_yes(row.text("esc10")), src_file=recording, take=row.text("take"))
            category = word(row.needed("category"))
        except RowError as error:
            listing.refuse(file, str(error), where=row.where, present=files)
        else:
            labels = FileLabels(category=category, group=recording, split=_SPLITS.get(fold, "train"), labels=more)
            listing.add(file, labels, where=row.where, present=files)
    return listing


def _yes(text: str) -> int | None:
    return {"true": 1, "1": 1, "false": 0, "0": 0}.get(text.lower())
