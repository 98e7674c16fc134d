"""What a corpus' own tables say of its files: one `FileLabels` a file, and the `Listing` of a whole folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timbrespace.corpus.rows import LONGEST_LABEL, Scalar, inside

_COMPLAINTS = 1000  # rows that are listed as skipped one by one; the rest is counted
_FORBIDDEN = frozenset('/\\:*?"<>|')

Moment = Callable[[float, float], tuple[float | None, dict[str, Scalar]]]


@dataclass(frozen=True, slots=True)
class FileLabels:
    """What is said of one file; None where nothing is.

    Clips of files with one `group` stay together. `split` is the corpus' own: 'train', 'validation' or 'test'. `moment` gives
    pitch and labels of a stretch (start in s, length in s) where the tables follow the sound through time.
    """

    category: str | None = None
    instrument: str | None = None
    pitch: float | None = None
    velocity: int | None = None
    group: str | None = None
    split: str | None = None
    labels: Mapping[str, Scalar] = field(default_factory=dict)
    moment: Moment | None = None


@dataclass
class Listing:
    """What a reader found: labels by relative file name, and what cannot be used.

    `names_speak`: what the tables leave open is read from file and folder names, as in a plain folder. `estimate`: pitch may be
    estimated where the tables give none. `problems`: {"file", "reason"}; files named there are not prepared.
    """

    layout: str = "folder"
    files: dict[str, FileLabels] = field(default_factory=dict)
    names_speak: bool = True
    estimate: bool = True
    problems: list[dict[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    _more: int = 0

    def add(self, file: str, labels: FileLabels, *, where: str, present: frozenset[str]) -> None:
        """Notes the labels of `file`; tells where it is not there or was listed before."""
        if file in self.files or file in self.refused:
            self.complain(where, f"{file} is listed twice; the first line counts")
        elif file not in present:
            self.complain(file, f"{where} lists it, but there is no such sound file")
        else:
            self.files[file] = labels

    def refuse(self, file: str | None, reason: str, *, where: str, present: frozenset[str]) -> None:
        """A line that cannot be used: its file, where it names one that is there, is left out rather than labelled wrongly."""
        if file is not None and file in present and file not in self.files:
            self.refused.add(file)
            self.problems.append({"file": file, "reason": reason})
        else:
            self.complain(where, reason)

    def complain(self, file: str, reason: str) -> None:
        """A row of the list of skipped files; beyond a thousand they are only counted."""
        if len(self.problems) < _COMPLAINTS:
            self.problems.append({"file": file, "reason": reason})
        else:
            self._more += 1

    def finish(self) -> Listing:
        """Adds how many complaints were only counted."""
        if self._more:
            self.problems.append({"file": self.layout, "reason": f"and {self._more} more lines of its tables that could not be used"})
            self._more = 0
        return self


def word(text: str | None) -> str | None:
    """A category or instrument as it may stand in file names: no path, nothing unprintable, at most 100 characters; None if empty."""
    cleaned = " ".join("".join(c if c.isprintable() and c not in _FORBIDDEN else " " for c in text or "").split())
    return cleaned[:100].strip(" .") or None


def told(**labels: Scalar | None) -> dict[str, Scalar]:
    """The labels that say something: not None, not empty; names and texts in printable characters, long ones cut."""
    out: dict[str, Scalar] = {}
    for name, value in labels.items():
        key, one = _printable(name, 64), _printable(value, LONGEST_LABEL) if isinstance(value, str) else value
        if key and one not in (None, ""):
            out[key] = one
    return out


def _printable(text: str, most: int) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]


def beside(folder: Path, marks: Callable[[Path], bool]) -> Path | None:
    """The folder that has the marks of a layout: `folder` itself or one of the folders right in it, so that a parent may be given."""
    if marks(folder):
        return folder
    try:
        inner = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError:
        return None
    return next((path for path in inner[:64] if marks(path)), None)


def prefix_of(base: Path, folder: Path) -> str:
    """What stands before the names of `base`'s files when they are told relative to `folder`: '' or 'name/'."""
    return "" if base == folder else f"{base.relative_to(folder).as_posix()}/"


def safe(name: str) -> bool:
    """Is this a plain file name or a relative path that stays below its folder?"""
    return bool(name.strip()) and len(name) < 1000 and inside(name)


def below(files: Iterable[str], prefix: str) -> list[str]:
    """The files right in the folder `prefix` ('train_data/'), sorted."""
    return sorted(file for file in files if file.startswith(prefix) and "/" not in file[len(prefix) :])
