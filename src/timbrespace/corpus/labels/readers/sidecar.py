"""Any folder with a table of the user's own: `timbrespace.csv` with the column `file` and any of category, instrument, pitch, velocity,
group, split. Every other column becomes a label. What it leaves open is read from names as usual.
"""

from __future__ import annotations

from pathlib import Path

from timbrespace.corpus.labels.names import midi_note
from timbrespace.corpus.labels.readers.labels import FileLabels, Listing, safe, told, word
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.rows import LABELS, SPLITS, Scalar

NEEDS = "it needs a timbrespace.csv with a column 'file'"
_TABLE = "timbrespace.csv"
_KNOWN = ("file", "category", "instrument", "pitch", "velocity", "group", "split")


def find(folder: Path) -> Path | None:
    """The folder itself, where it holds timbrespace.csv."""
    return folder if (folder / _TABLE).is_file() else None


def read(base: Path, folder: Path, files: frozenset[str]) -> Listing:
    """Labels of each listed file, named relative to the folder. Raises CorpusError."""
    listing = Listing()
    for row in rows(base / _TABLE, name=_TABLE, columns=("file",)):
        file = None
        try:
            name = row.needed("file").replace("\\", "/").removeprefix("./")
            if not safe(name):
                raise RowError(f"{row.where}, column file: {name!r:.60}, a path within the folder is needed")
            file = name
            labels = _labels(row)
        except RowError as error:
            listing.refuse(file, str(error), where=row.where, present=files)
        else:
            listing.add(file, labels, where=row.where, present=files)
    return listing


def _labels(row: Row) -> FileLabels:
    split = row.text("split").lower() or None
    split = {"valid": "validation", "val": "validation"}.get(split or "", split)
    if split not in (None, *SPLITS):
        raise RowError(f"{row.where}, column split: {split!r:.60}, allowed are {', '.join(SPLITS)} or nothing")
    more = {name: _scalar(value.strip()) for name, value in row.values.items() if name and name not in _KNOWN}
    if len(more) > LABELS:
        raise RowError(f"{row.where}: {len(more)} further columns, allowed are {LABELS}")
    return FileLabels(
        category=word(row.text("category")),
        instrument=word(row.text("instrument")),
        pitch=_pitch(row),
        velocity=row.whole("velocity", 1, 127) if row.text("velocity") else None,
        group=row.text("group") or None,
        split=split,
        labels=told(**more),
    )


def _pitch(row: Row) -> float | None:
    text = row.text("pitch")
    if not text:
        return None
    note = midi_note(text)
    return note if note is not None else row.number("pitch", 0, 127)


def _scalar(text: str) -> Scalar:
    """A number where the text is one, else the text."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not -(2**53) <= value <= 2**53:  # also NaN
        return text
    return int(value) if value.is_integer() and "." not in text and "e" not in text.lower() else value
