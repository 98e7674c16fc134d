"""UrbanSound8K: `metadata/UrbanSound8K.csv` and `audio/fold1` … `audio/fold10`.

Fold 10 is test, fold 9 validation. Slices of one recording (fsID) stay together.
"""

from __future__ import annotations

from pathlib import Path

from timbrespace.corpus.labels.readers.labels import FileLabels, Listing, beside, prefix_of, safe, told, word
from timbrespace.corpus.labels.readers.tables import RowError, rows

NEEDS = "it needs metadata/UrbanSound8K.csv and audio/"
_TABLE = "metadata/UrbanSound8K.csv"
_COLUMNS = ("slice_file_name", "fsID", "fold", "class")
_SPLITS = {10: "test", 9: "validation"}
_DAY = 86_400.0  # s


def find(folder: Path) -> Path | None:
    """The folder with metadata/UrbanSound8K.csv and audio/."""
    return beside(folder, lambda path: (path / _TABLE).is_file() and (path / "audio").is_dir())


def read(base: Path, folder: Path, files: frozenset[str]) -> Listing:
    """Class, recording, fold, salience and place in the recording of each slice. Raises CorpusError."""
    prefix = prefix_of(base, folder)
    listing = Listing(names_speak=False)
    for row in rows(base / _TABLE, name=prefix + _TABLE, columns=_COLUMNS):
        file = None
        try:
            name = row.needed("slice_file_name")
            if "/" in name or not safe(name):
                raise RowError(f"{row.where}, column slice_file_name: {name!r:.60}, a plain file name is needed")
            fold = row.whole("fold", 1, 10)
            file = f"{prefix}audio/fold{fold}/{name}"
            recording = row.needed("fsID")
            more = told(
                fold=fold,
                fsID=recording,
                salience=row.whole("salience", 1, 2) if row.text("salience") else None,
                start=row.number("start", 0, _DAY) if row.text("start") else None,
                end=row.number("end", 0, _DAY) if row.text("end") else None,
                classID=row.whole("classID", 0, 9) if row.text("classID") else None,
            )
            category = word(row.needed("class"))
        except RowError as error:
            listing.refuse(file, str(error), where=row.where, present=files)
        else:
            labels = FileLabels(category=category, group=recording, split=_SPLITS.get(fold, "train"), labels=more)
            listing.add(file, labels, where=row.where, present=files)
    return listing
