"""Reads corpora with one CSV table of clips and a folder `audio/`: ESC-50 and UrbanSound8K.

Clips of one recording stay in one split. One fold is the test split and one the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels, find_layout, is_safe_name, prefix_of
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.labels.values import Scalar, clean_category, clean_labels
from timbrespace.paths import is_file, is_folder

_DAY = 86_400.0  # s


@dataclass(frozen=True)
class AudioTable:
    """A layout of this form.

    table: path of the CSV file. file, recording, category: columns with the file name, the recording and the category. folds: number
    of folds. folder: of the file of a row, below `audio/`. splits: fold -> split; all others are 'train'. labels: further labels of
    a row.
    """

    table: str
    file: str
    recording: str
    category: str
    folds: int
    folder: Callable[[Row], str]
    splits: Mapping[int, str]
    labels: Callable[[Row], Mapping[str, Scalar | None]]

    @property
    def needs(self) -> str:
        """What a folder of this layout must have."""
        return f"it needs {self.table} and audio/"

    def find(self, folder: Path) -> Path | None:
        """The folder with the table and `audio/`, or None."""
        return find_layout(folder, lambda path: is_file(path / self.table) and is_folder(path / "audio"))

    def read(self, base: Path, folder: Path, files: frozenset[str]) -> CorpusLabels:
        """Labels of the rows of the table. Raises CorpusError."""
        prefix = prefix_of(base, folder)
        out = CorpusLabels(use_names=False)
        for row in rows(base / self.table, name=prefix + self.table, columns=(self.file, "fold", self.category, self.recording)):
            file = None
            try:
                name = row.needed(self.file)
                if "/" in name or not is_safe_name(name):
                    raise RowError(f"{row.where}, column {self.file}: {name!r:.60}, a plain file name is needed")
                file = f"{prefix}audio/{self.folder(row)}{name}"
                labels = self._labels(row)
            except RowError as error:
                out.refuse(file, str(error), where=row.where, present=files)
            else:
                out.add(file, labels, where=row.where, present=files)
        return out

    def _labels(self, row: Row) -> FileLabels:
        fold = row.whole("fold", 1, self.folds)
        recording = row.needed(self.recording)
        labels = clean_labels(fold=fold, **self.labels(row))
        category = clean_category(row.needed(self.category))
        return FileLabels(category=category, group=recording, split=self.splits.get(fold, "train"), labels=labels)


def _yes_or_no(text: str) -> int | None:
    return {"true": 1, "1": 1, "false": 0, "0": 0}.get(text.lower())


ESC50 = AudioTable(
    table="meta/esc50.csv",
    file="filename",
    recording="src_file",
    category="category",
    folds=5,
    folder=lambda row: "",
    splits={5: "test", 4: "validation"},
    labels=lambda row: {
        "target": row.whole("target", 0, 49) if row.text("target") else None,
        "esc10": _yes_or_no(row.text("esc10")),
        "src_file": row.text("src_file"),
        "take": row.text("take"),
    },
)

URBANSOUND8K = AudioTable(
    table="metadata/UrbanSound8K.csv",
    file="slice_file_name",
    recording="fsID",
    category="class",
    folds=10,
    folder=lambda row: f"fold{row.whole('fold', 1, 10)}/",
    splits={10: "test", 9: "validation"},
    labels=lambda row: {
        "fsID": row.text("fsID"),
        "salience": row.whole("salience", 1, 2) if row.text("salience") else None,
        "start": row.number("start", 0, _DAY) if row.text("start") else None,
        "end": row.number("end", 0, _DAY) if row.text("end") else None,
        "classID": row.whole("classID", 0, 9) if row.text("classID") else None,
    },
)
