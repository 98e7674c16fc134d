"""The file of answers of a served survey: JSON lines, appended one by one and flushed to the disk, so that no crash loses an answer.

The first line names the survey. A listener's first line has `session`, `plan`, `background`; the others `session`, `plan`, `index` (in the
plan), `item`, `values`, `seconds`. Nothing else about a person is stored: no name, no address, no time of day. A damaged line takes nothing
with it but itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from timbrespace.atomic import disk_error
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.survey.rows import Answer, read_background, read_plan, read_row, read_session
from timbrespace.evaluation.survey.survey import Survey
from timbrespace.locks import lock

JOURNAL, SUFFIX = "answers.jsonl", ".jsonl"
FORMAT, VERSION = "timbrespace answers", 1
MOST_BYTES = 50_000_000  # of a file of answers: about 250,000 answers
_LONGEST_LINE = 16_384
_MOST_REMARKS = 20


@dataclass
class Session:
    """One listener. background: question -> answer. rows: index in the plan -> the first answer that was given there.

    answered: number of answers from the beginning of the plan on, without a gap.
    """

    name: str
    plan: int
    background: dict[str, str] = field(default_factory=dict)
    rows: dict[int, Answer] = field(default_factory=dict)
    answered: int = 0

    def add(self, index: int, answer: Answer) -> None:
        """Adds an answer, unless there is one at this place."""
        self.rows.setdefault(index, answer)
        while self.answered in self.rows:
            self.answered += 1

    def as_dict(self, survey: Survey) -> dict[str, Any]:
        """The session as the file that a listener's page saves."""
        rows = [vars(self.rows[index]) for index in range(self.answered)]
        return {"survey": survey.identity, "session": self.name, "plan": self.plan, "background": self.background, "answers": rows}


def read_journal(survey: Survey, path: Path) -> tuple[dict[str, Session], list[tuple[str, str]]]:
    """Returns the sessions in a file of answers by name, and (place, reason) of the lines that are left out.

    Of several answers at one place of a plan the first counts. Raises ConfigError when the file cannot be read, or is of another survey.
    """
    sessions: dict[str, Session] = {}
    remarks: list[tuple[str, str]] = []
    missed = 0
    for number, line, whole in _lines(path):
        try:
            _read_line(survey, sessions, line)
        except _OtherSurveyError as error:
            raise ConfigError(f"{path} {error}") from None
        except ConfigError as error:
            missed += 1
            if missed <= _MOST_REMARKS:
                remarks.append((f"{path.name} line {number}", str(error) if whole else "it is cut off: the last writing was interrupted"))
    if missed > _MOST_REMARKS:
        remarks.append((path.name, f"{missed - _MOST_REMARKS} more of its lines cannot be used"))
    return sessions, remarks


class Journal:
    """A file of answers that is open for writing, by one process at a time."""

    def __init__(self, survey: Survey, path: Path) -> None:
        """Opens the file of a survey's answers, or begins it. Raises ConfigError when another process has it open, TimbrespaceError."""
        self.path = path
        self._guard = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._guard = (path.parent / f".{path.name}.lock").open("ab")
            if not lock(self._guard):
                raise ConfigError(f"another `survey serve` writes to {path}; stop it first, one server is enough for all listeners")
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            self._release()
            raise disk_error(error, path) from error
        except ConfigError:
            self._release()
            raise
        self._size = os.fstat(self._file).st_size
        self._torn = self._size > 0 and not _ends_with_newline(path)
        if self._size == 0:
            self.append({"format": FORMAT, "version": VERSION, "survey": survey.identity})
            _sync_folder(path.parent)

    def append(self, *records: Mapping[str, Any]) -> None:
        """Appends lines, together, and returns when they are on the disk. Raises TimbrespaceError; then none of them is in the file."""
        text = "".join(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n" for record in records)
        data = (b"\n" if self._torn else b"") + text.encode()
        if self._size + len(data) > MOST_BYTES:
            raise TimbrespaceError(f"{self.path} is full: it may have {MOST_BYTES // 1_000_000} MB")
        try:
            self._check_in_place()
            rest = data
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            self._undo()
            raise disk_error(error, self.path) from error
        self._size, self._torn = self._size + len(data), False

    def close(self) -> None:
        """Closes the file and lets another process open it."""
        os.close(self._file)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_in_place(self) -> None:
        """Raises TimbrespaceError when the file was moved or removed meanwhile: appended lines would be lost."""
        try:
            is_same = os.path.samestat(self.path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise TimbrespaceError(f"{self.path} was moved or removed while the survey is served; stop the server and start it again")

    def _undo(self) -> None:
        """Takes away what a failed writing left; where that fails, too, the next line begins on a new one."""
        self._torn = True
        with suppress(OSError):
            os.ftruncate(self._file, self._size)
            self._torn = self._size > 0 and not _ends_with_newline(self.path)

    def _release(self) -> None:
        if self._guard is not None:
            self._guard.close()


class _OtherSurveyError(ConfigError):
    pass


def _read_line(survey: Survey, sessions: dict[str, Session], line: bytes) -> None:
    """Adds what a line says to the sessions. Raises ConfigError when it cannot be used."""
    if len(line) > _LONGEST_LINE:
        raise ConfigError(f"it is longer than {_LONGEST_LINE} bytes")
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=lambda name: None)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise ConfigError("it is damaged") from None
    if not isinstance(values, dict):
        raise ConfigError("it is damaged")
    if "format" in values:
        if values["format"] != FORMAT:
            raise _OtherSurveyError("is no file of answers")
        if values.get("version") != VERSION:
            raise _OtherSurveyError(f"is of version {values.get('version')!r:.20}, this release reads {VERSION}")
        if values.get("survey") != survey.identity:
            raise _OtherSurveyError(f"is of another survey ({values.get('survey')!r:.40}, not {survey.identity}); move it elsewhere")
        return
    name, plan = read_session(values.get("session")), read_plan(survey, values.get("plan"))
    if name in sessions and sessions[name].plan != plan:
        raise ConfigError("its listener has another plan")
    if "background" in values:
        session = sessions.setdefault(name, Session(name, plan))
        session.background = session.background or read_background(survey, values["background"])
        return
    answer, index = read_row(survey, values), values.get("index")
    order = survey.plans[plan]
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(order) or order[index] != answer.item:
        raise ConfigError("its answer is not in the order of its plan")
    sessions.setdefault(name, Session(name, plan)).add(index, answer)


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Yields the number, the bytes, and whether it has an end, of each line that is not empty. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > 2 * MOST_BYTES:
                raise ConfigError(f"{path} is larger than {2 * MOST_BYTES // 1_000_000} MB; this is no file of answers")
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n"), line.endswith(b"\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _sync_folder(folder: Path) -> None:
    """Makes a new file's name last, on systems where a folder can be synchronised."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
