"""What the tables of a corpus say of its files: FileLabels of one file, CorpusLabels of a whole folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timbrespace.corpus.labels.values import Scalar, is_relative_path
from timbrespace.paths import is_folder

_MAX_PROBLEMS = 1000  # listed one by one; further ones are counted
_MAX_SIBLINGS = 64  # folders that are searched for a layout
_MAX_NAME = 1000  # characters

LabelsAt = Callable[[float, float], tuple[float | None, dict[str, Scalar]]]


@dataclass(frozen=True, slots=True)
class FileLabels:
    """Labels of one file; None for a field without a label.

    group: clips of files with the same group stay in one split. split: 'train', 'validation' or 'test', as the corpus itself says.
    labels_at: for tables that follow the sound through time, a function from (start in s, length in s) to pitch and labels.
    """

    category: str | None = None
    instrument: str | None = None
    pitch: float | None = None
    velocity: int | None = None
    group: str | None = None
    split: str | None = None
    labels: Mapping[str, Scalar] = field(default_factory=dict)
    labels_at: LabelsAt | None = None


@dataclass
class CorpusLabels:
    """What a reader found in the tables of a folder.

    files: labels by relative file name. use_names: fields that the tables leave open are filled from file and folder names.
    estimate_pitch: the pitch may be estimated where the tables give none. problems: {"file", "reason"} of lines that cannot be used.
    refused: files of such lines, which are not prepared.
    """

    layout: str = "folder"
    files: dict[str, FileLabels] = field(default_factory=dict)
    use_names: bool = True
    estimate_pitch: bool = True
    problems: list[dict[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    _unlisted: int = 0

    def add(self, file: str, labels: FileLabels, *, where: str, present: frozenset[str]) -> None:
        """Adds the labels of `file`, or a problem if it is not among the files `present` or is listed twice."""
        if file in self.files or file in self.refused:
            self.add_problem(where, f"{file} is listed twice; the first line counts")
        elif file not in present:
            self.add_problem(file, f"{where} lists it, but there is no such sound file")
        else:
            self.files[file] = labels

    def refuse(self, file: str | None, reason: str, *, where: str, present: frozenset[str]) -> None:
        """Adds the problem of a line that cannot be used; if it names a file that is present, the file is left out."""
        if file is not None and file in present and file not in self.files:
            self.refused.add(file)
            self.problems.append({"file": file, "reason": reason})
        else:
            self.add_problem(where, reason)

    def add_problem(self, file: str, reason: str) -> None:
        """Adds a problem to the list; beyond a thousand they are only counted."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append({"file": file, "reason": reason})
        else:
            self._unlisted += 1

    def finish(self) -> CorpusLabels:
        """Adds the number of problems that were only counted, and returns self."""
        if self._unlisted:
            self.problems.append({"file": self.layout, "reason": f"and {self._unlisted} more lines of its tables that could not be used"})
            self._unlisted = 0
        return self


def find_layout(folder: Path, matches: Callable[[Path], bool]) -> Path | None:
    """The first folder that matches: `folder` itself or a folder directly in it, so that the parent can be given too; or None."""
    if matches(folder):
        return folder
    return next((path for path in inner_folders(folder)[:_MAX_SIBLINGS] if matches(path)), None)


def inner_folders(folder: Path) -> list[Path]:
    """The folders directly in `folder`, sorted, without hidden ones; none if it cannot be opened."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and is_folder(path))
    except OSError:
        return []


def prefix_of(base: Path, folder: Path) -> str:
    """The prefix that makes names relative to `base` relative to `folder`: '' or 'name/'."""
    return "" if base == folder else f"{base.relative_to(folder).as_posix()}/"


def is_safe_name(name: str) -> bool:
    """Whether `name` is a file name or a relative path that stays below its folder."""
    return bool(name.strip()) and len(name) < _MAX_NAME and is_relative_path(name)


def files_in(files: Iterable[str], prefix: str) -> list[str]:
    """The files directly in the folder `prefix` ('train_data/'), sorted."""
    return sorted(file for file in files if file.startswith(prefix) and "/" not in file[len(prefix) :])
