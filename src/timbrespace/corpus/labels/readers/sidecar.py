"""A folder with the user's own table: `timbrespace.csv` with the column `file` and any of category, instrument, pitch, velocity, group,
split. Every other column becomes a label. Missing fields are filled from names as usual.

Numbers may have a decimal comma, as spreadsheets of many countries write them, where columns are separated by semicolons or tabs, or the
number is in quotes. Files are found whatever the Unicode form (NFC, NFD) and the case of their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from timbrespace.corpus.format import SPLITS
from timbrespace.corpus.labels.names import midi_note, plain
from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels, is_safe_name
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.labels.values import MAX_LABELS, Scalar, clean_category, clean_labels
from timbrespace.paths import is_file

NEEDS = "it needs a timbrespace.csv with a column 'file'"
_TABLE = "timbrespace.csv"
_COMMA = re.compile(r"[+-]?\d{1,30},\d{1,30}(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)  # 1,234 may be 1234
_MISSING = ("", "-", "nan", "na", "n/a", "none", "null")
_TEXTS = ("file", "category", "instrument", "group", "split")
_KNOWN = ("file", "category", "instrument", "pitch", "velocity", "group", "split")


def find(folder: Path) -> Path | None:
    """The folder itself, if it holds timbrespace.csv, or None."""
    return folder if is_file(folder / _TABLE) else None


def read(base: Path, folder: Path, files: frozenset[str]) -> CorpusLabels:
    """Labels of each listed file; names are relative to the folder. Raises CorpusError."""
    out = CorpusLabels()
    table = partial(rows, base / _TABLE, name=_TABLE, columns=("file",))
    decimal, doubts = _decimal_commas(table())
    for doubt in doubts:
        out.add_problem(_TABLE, doubt)
    same = _same_names(files)
    for row in table():
        file = None
        try:
            name = row.needed("file").replace("\\", "/").removeprefix("./")
            if not is_safe_name(name):
                raise RowError(f"{row.where}, column file: {name!r:.60}, a path within the folder is needed")
            file = name if name in files else same.get(_key(name), name)
            if any(value.strip() for value in row.extra):
                raise RowError(
                    f"{row.where}: it has {len(row.extra)} values more than the heading has columns; put values with a comma in quotes, "
                    "or write decimal points"
                )
            labels = _labels(_with_points(row, decimal))
        except RowError as error:
            out.refuse(file, str(error), where=row.where, present=files)
        else:
            out.add(file, labels, where=row.where, present=files)
    return out


def _key(name: str) -> str:
    return plain(name).casefold()


def _same_names(files: frozenset[str]) -> dict[str, str]:
    """Files by their name without regard to Unicode form and case, where it is one file's alone."""
    count = Counter(map(_key, files))
    return {_key(file): file for file in files if count[_key(file)] == 1}


def _decimal_commas(table: Iterable[Row]) -> tuple[frozenset[str], list[str]]:
    """The columns whose numbers have decimal commas, and doubts about others.

    These are columns in which every value is a number, some with a comma, unless all of these may have a comma between thousands.
    """
    filled, numbers, commas, thousands = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    first: dict[str, str] = {}
    mark = ","
    for row in table:
        mark = row.mark
        for column, text in row.values.items():
            value = text.strip()
            if value.casefold() in _MISSING or column in _TEXTS:
                continue
            filled[column] += 1
            if _COMMA.fullmatch(value):
                commas[column] += 1
                thousands[column] += mark == "," and _THOUSANDS.fullmatch(value) is not None
                first.setdefault(column, value)
            elif isinstance(_scalar(value), (int, float)) or (column == "pitch" and midi_note(value) is not None):
                numbers[column] += 1
    decimal, doubts = set(), []
    for column, count in commas.items():
        if count + numbers[column] < filled[column]:
            doubts.append(f"column {column}: {first[column]!r} is kept as text like its other values; write numbers with a point")
        elif count == thousands[column]:
            point = first[column].replace(",", ".")
            doubts.append(f"column {column}: {first[column]!r} may be {point} or {first[column].replace(',', '')}; it is kept as text")
        else:
            decimal.add(column)
    return frozenset(decimal), doubts


def _with_points(row: Row, decimal: frozenset[str]) -> Row:
    """The row with points for the decimal commas of these columns."""
    if not decimal:
        return row
    return replace(row, values={name: text.replace(",", ".") if name in decimal else text for name, text in row.values.items()})


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
