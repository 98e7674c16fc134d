"""A folder with the user's own table: `timbrespace.csv` with the column `file` and any of category, instrument, pitch, velocity, group,
split. Every other column becomes a label. Missing fields are filled from names as usual.
"""

from __future__ import annotations

from pathlib import Path

from timbrespace.corpus.format import SPLITS
from timbrespace.corpus.labels.names import midi_note
from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels, is_safe_name
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.labels.values import MAX_LABELS, Scalar, clean_category, clean_labels
from timbrespace.paths import is_file

NEEDS = "it needs a timbrespace.csv with a column 'file'"
_TABLE = "timbrespace.csv"
_KNOWN = ("file", "category", "instrument", "pitch", "velocity", "group", "split")


def find(folder: Path) -> Path | None:
    """The folder itself, if it holds timbrespace.csv, or None."""
    return folder if is_file(folder / _TABLE) else None


def read(base: Path, folder: Path, files: frozenset[str]) -> CorpusLabels:
    """Labels of each listed file; names are relative to the folder. Raises CorpusError."""
    out = CorpusLabels()
    for row in rows(base / _TABLE, name=_TABLE, columns=("file",)):
        file = None
        try:
            name = row.needed("file").replace("\\", "/").removeprefix("./")
            if not is_safe_name(name):
                raise RowError(f"{row.where}, column file: {name!r:.60}, a path within the folder is needed")
            file = name
            labels = _labels(row)
        except RowError as error:
            out.refuse(file, str(error), where=row.where, present=files)
        else:
            out.add(file, labels, where=row.where, present=files)
    return out


def _labels(row: Row) -> FileLabels:
    split = row.text("split").lower() or None
    split = {"valid": "validation", "val": "validation"}.get(split or "", split)
    if split not in (None, *SPLITS):
        raise RowError(f"{row.where}, column split: {split!r:.60}, allowed are {', '.join(SPLITS)} or nothing")
    more = {name: _scalar(value.strip()) for name, value in row.values.items() if name and name not in _KNOWN}
    if len(more) > MAX_LABELS:
        raise RowError(f"{row.where}: {len(more)} other columns, allowed are {MAX_LABELS}")
    return FileLabels(
        category=clean_category(row.text("category")),
        instrument=clean_category(row.text("instrument")),
        pitch=_pitch(row),
        velocity=row.whole("velocity", 1, 127) if row.text("velocity") else None,
        group=row.text("group") or None,
        split=split,
        labels=clean_labels(**more),
    )


def _pitch(row: Row) -> float | None:
    text = row.text("pitch")
    if not text:
        return None
    note = midi_note(text)
    return note if note is not None else row.number("pitch", 0, 127)


def _scalar(text: str) -> Scalar:
    """The number in `text`, or the text itself if it is not a number."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not -(2**53) <= value <= 2**53:  # also NaN
        return text
    return int(value) if value.is_integer() and "." not in text and "e" not in text.lower() else value
