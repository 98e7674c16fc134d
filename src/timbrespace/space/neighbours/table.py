"""The table of categories that `prepare` reads: `timbrespace.csv`, written or completed from recognised categories."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from timbrespace.atomic import write_text
from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.corpus.labels.readers.tables import rows
from timbrespace.corpus.sources import relative_name
from timbrespace.space.neighbours.classify import Classification

NAME = "timbrespace.csv"
_COLUMNS = ("file", "category", "confidence")


def check_table(path: Path, *, force: bool) -> None:
    """Raises ConfigError for another name than `timbrespace.csv`, OutputExistsError for a table that exists, unless `force`."""
    if path.name != NAME:
        raise ConfigError(
            f"the table is to be written to {path.name!r}, prepare reads {NAME} in the folder of the sounds; give FOLDER/{NAME}"
        )
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists; --force completes it: its lines and columns are kept, empty categories filled")


def write_table(path: Path, found: Sequence[Classification], *, relabel: bool = False, force: bool = False) -> int:
    """Writes recognised categories to a table beside or above the sounds. Returns the number of categories written.

    A table that exists is completed with `force`: other lines and columns are kept, and categories too unless `relabel`. Raises ConfigError
    for a sound without a path below the folder of the table, OutputExistsError, CorpusError for a table that cannot be read.
    """
    check_table(path, force=force)
    lines: dict[str, dict[str, str]] = {}
    columns = list(_COLUMNS)
    if path.exists():
        for row in rows(path, name=path.name, columns=("file",)):
            lines[row.text("file").replace("\\", "/").removeprefix("./")] = dict(row.values)
        columns += [name for name in _heading(lines) if name not in columns]
    written = 0
    for one in found:
        line = lines.setdefault(_file(one, path.parent), {})
        if relabel or not line.get("category", "").strip():
            line |= {"category": one.category, "confidence": f"{one.confidence:.2f}"}
            written += 1
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**line, "file": file} for file, line in lines.items())
    write_text(path, text.getvalue(), force=force)
    return written


def _heading(lines: Mapping[str, Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for line in lines.values() for name in line if name))


def _file(one: Classification, folder: Path) -> str:
    """The name of a sound as the table has it: relative to the folder of the table."""
    if one.path is None:
        raise ConfigError(f"{one.name} is not a file; a table lists files")
    path, base = one.path.absolute(), folder.absolute()
    if base not in path.parents:
        path, base = path.resolve(), base.resolve()
    if base not in path.parents:
        raise ConfigError(f"{one.path} is not below {folder}; the table must be in the folder that prepare gets: FOLDER/{NAME}")
    return relative_name(path, base)
