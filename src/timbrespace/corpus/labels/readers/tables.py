"""Reads the CSV and JSON tables of a corpus: line by line, with strict checks, and errors that name file, line and column."""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrespace.contracts import CorpusError

_LARGEST = 1 << 30  # bytes of a table
_ENTRY = 1 << 20  # characters of one JSON entry
_CHUNK = 1 << 16
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


class RowError(ValueError):
    """A line that cannot be used; the text names file, line and column, and the allowed values."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. where: its place, such as 'meta/esc50.csv line 7'. values: text by column.

    mark: what separates the columns. extra: values behind the last column.
    """

    where: str
    values: dict[str, str]
    mark: str = ","
    extra: tuple[str, ...] = ()

    def text(self, column: str) -> str:
        """The text in a column without surrounding blanks; '' if there is none."""
        return self.values.get(column, "").strip()

    def needed(self, column: str) -> str:
        """As `text`; raises RowError if it is empty."""
        value = self.text(column)
        if not value:
            raise RowError(f"{self.where}, column {column}: empty, a value is needed")
        return value

    def whole(self, column: str, low: int, high: int) -> int:
        """The whole number in a column, within low … high ('5' or '5.0'). Raises RowError."""
        value = self.text(column)
        if not _WHOLE.fullmatch(value) or not low <= int(value.partition(".")[0]) <= high:
            raise RowError(f"{self.where}, column {column}: {value!r:.60}, allowed is a whole number from {low} to {high}")
        return int(value.partition(".")[0])

    def number(self, column: str, low: float, high: float) -> float:
        """The number in a column, finite and within low … high. Raises RowError."""
        value = self.text(column)
        if not _NUMBER.fullmatch(value) or not low <= float(value) <= high:
            raise RowError(f"{self.where}, column {column}: {value!r:.60}, allowed is a number from {low:g} to {high:g}")
        return float(value)


def rows(path: Path, *, name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yields the lines of a CSV file with a heading; separated by commas, semicolons or tabs, in UTF-8, UTF-16 or Latin-1.

    name: of the file in messages. columns: those that must be there. Raises CorpusError if the file cannot be read, is not a table,
    lacks one of `columns`, or has an over-long or broken line.
    """
    encoding = _encoding(path, name)
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline(_CHUNK)
            mark = max(",;\t", key=first.count)
            heading = [word.strip() for word in next(csv.reader([first], delimiter=mark), [])]
            missing = [column for column in columns if column not in heading]
            if missing:
                raise CorpusError(
                    f"{name} line 1: the column {missing[0]!r} is missing; needed are {', '.join(columns)}, "
                    f"found are {', '.join(heading)[:200] or 'none'}; repair the table, or read the folder without it (layout 'folder')"
                )
            lines = csv.reader(file, delimiter=mark)
            for values in lines:
                if any(value.strip() for value in values):
                    where, extra = f"{name} line {lines.line_num + 1}", tuple(values[len(heading) :])
                    yield Row(where, dict(zip(heading, values, strict=False)), mark, extra)
    except (csv.Error, UnicodeError) as error:
        raise CorpusError(f"{name} is not a readable table ({error}); repair it, or use the layout 'folder'") from None
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from None


def _encoding(path: Path, name: str) -> str:
    """UTF-16 if the file is marked so, UTF-8 if all of it is valid, else Latin-1, which accepts any bytes."""
    try:
        if path.stat().st_size > _LARGEST:
            raise CorpusError(f"{name} is larger than {_LARGEST >> 30} GiB; a table of labels is smaller")
        with path.open("rb") as file:
            decoder = codecs.getincrementaldecoder("utf-8")()
            chunk = file.read(_CHUNK)
            if chunk[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
            try:
                while chunk:
                    decoder.decode(chunk)
                    chunk = file.read(_CHUNK)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "latin-1"
            return "utf-8-sig"
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from None


def json_entries(path: Path, *, name: str) -> Iterator[tuple[str, Any]]:
    """Yields the entries (key, value) of a JSON object of objects, with memory that does not grow with the file. Raises CorpusError.

    name: of the file in messages.
    """
    # Not ijson 3.6: memory of its fast `kvitems` grows with the square of the nesting (a hostile file of 16 kB takes 640 MB), and its
    # events, which could be limited, take 1.5 s for 60,000 notes of NSynth where this takes 0.75 s.
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    text, at, ended, count = "", 0, False, 0

    def bad(why: str) -> CorpusError:
        return CorpusError(f"{name}, entry {count + 1}: {why}; a JSON object of objects is needed; repair it, or use the layout 'folder'")

    try:
        with path.open(encoding="utf-8-sig") as file:

            def more(least: int) -> bool:
                """Reads until `least` characters follow `at` or the file ends. Returns whether any were added."""
                nonlocal text, at, ended
                had = len(text) - at
                while not ended and len(text) - at < least:
                    chunk = file.read(_CHUNK)
                    ended = not chunk
                    text, at = text[at:] + chunk, 0
                return len(text) - at > had

            def sign() -> str:
                """The next character that is not blank, '' at the end; moves behind it."""
                nonlocal at
                while more(1) or at < len(text):
                    at += 1
                    if not text[at - 1].isspace():
                        return text[at - 1]
                return ""

            def value() -> Any:
                nonlocal at
                while True:
                    try:
                        found, at = decoder.raw_decode(text, at)
                    except json.JSONDecodeError as error:
                        if len(text) - at > _ENTRY:
                            raise bad("it is far too long") from None
                        if not more(2 * (len(text) - at) + 1):
                            raise bad(str(error)) from None
                    else:
                        return found

            if sign() != "{":
                raise bad("it does not begin with {")
            follows = sign()
            while follows != "}":
                at -= 1
                key = value() if follows == '"' else None
                if not isinstance(key, str) or sign() != ":":
                    raise bad("a name in quotes and a colon are expected")
                if sign() != "{":
                    raise bad("an object in braces is expected behind the name")
                at -= 1
                yield key, value()
                count += 1
                follows = sign()
                if follows == ",":
                    follows = sign()
                    if follows == "}":
                        raise bad("there is a comma before the closing brace")
                elif follows != "}":
                    raise bad("it ends in the middle" if not follows else f"{follows!r} where a comma is expected")
    except (UnicodeError, RecursionError, ValueError) as error:
        if isinstance(error, CorpusError):
            raise
        raise bad(str(error)) from None
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def json_whole(entry: dict[str, Any], key: str, low: int, high: int, *, where: str) -> int:
    """The whole number `key` of a JSON entry, within low … high. Raises RowError."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RowError(f"{where}, {key}: {value!r:.60}, allowed is a whole number from {low} to {high}")
    return value


def json_number(entry: dict[str, Any], key: str, low: float, high: float, *, where: str) -> float:
    """The number `key` of a JSON entry, finite and within low … high. Raises RowError."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or not math.isfinite(value):
        raise RowError(f"{where}, {key}: {value!r:.60}, allowed is a number from {low:g} to {high:g}")
    return float(value)


def json_text(entry: dict[str, Any], key: str, *, where: str) -> str:
    """The text `key` of a JSON entry, not empty. Raises RowError."""
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{where}, {key}: {value!r:.60}, a text is needed")
    return value.strip()
