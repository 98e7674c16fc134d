"""Reads the answers of listeners, checks them, and says which are left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.journal import JOURNAL, SUFFIX, read_journal
from timbrespace.evaluation.survey.questions import CHECK, CLASS
from timbrespace.evaluation.survey.rows import Answer, read_background, read_plan, read_row, read_session
from timbrespace.evaluation.survey.survey import Survey, read_json

_MOST_FILES = 10_000
_STEADY = 1  # steps by which the second rating of a repeated sound may differ to count as steady


@dataclass(frozen=True)
class Listener:
    """One listener. session: random name of this run of the page. background: question -> answer. answers: first ratings, of sounds alone.

    failed: attention checks answered wrongly. repeats: (item, question, first, second) of sounds that were rated twice.
    """

    session: str
    background: dict[str, str]
    answers: list[Answer]
    checks: int = 0
    failed: int = 0
    repeats: list[tuple[str, str, int, int]] = field(default_factory=list)

    @property
    def steadiness(self) -> float | None:
        """Share of repeated ratings within one step of the first; None without any."""
        return sum(abs(a - b) <= _STEADY for *_, a, b in self.repeats) / len(self.repeats) if self.repeats else None


def read_answers(survey: Survey, source: Path | str) -> tuple[list[Listener], list[tuple[str, str]]]:
    """Returns the listeners of a file or a folder of answers, and (place, reason) of the entries left out.

    source: the file that `survey serve` writes (.jsonl), a file that a listener saved (.json), or a folder of both. A session that was
    handed in twice counts once, in its longest form. Raises ConfigError when there are no files.
    """
    listeners: dict[str, Listener] = {}
    left_out: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for path in _files(Path(source)):
        for name, values in _sessions(survey, path, left_out):
            try:
                listener = listener_of(survey, values)
            except ConfigError as error:
                left_out.append((name, str(error)))
                continue
            earlier = listeners.get(listener.session)
            if earlier is not None and len(listener.answers) <= len(earlier.answers):
                left_out.append((name, f"the same session as {names[listener.session]}"))
                continue
            if earlier is not None:
                left_out.append((names[listener.session], f"the same session as {name}"))
            listeners[listener.session], names[listener.session] = listener, name
    return list(listeners.values()), left_out


def _files(source: Path) -> list[Path]:
    """The files of answers that a path names. Raises ConfigError."""
    if source.is_file():
        return [source]
    files = sorted(path for path in source.iterdir() if path.suffix in (SUFFIX, ".json") and path.is_file()) if source.is_dir() else []
    if not files:
        raise ConfigError(
            f"there are no answers in {source}; put the files there that listeners downloaded at the end (answers-….json), or give the "
            f"file that `survey serve` writes ({JOURNAL})"
        )
    if len(files) > _MOST_FILES:
        raise ConfigError(f"{source} has {len(files)} files, at most {_MOST_FILES} are read")
    return files


def _sessions(survey: Survey, path: Path, left_out: list[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Yields the name and the values of each session in a file; what cannot be read is added to `left_out`."""
    try:
        if path.suffix != SUFFIX:
            yield path.name, read_json(path)
            return
        sessions, remarks = read_journal(survey, path)
    except ConfigError as error:
        left_out.append((path.name, str(error)))
        return
    left_out.extend(remarks)
    for session in sessions.values():
        yield f"{path.name}, listener {session.name}", session.as_dict(survey)


def listener_of(survey: Survey, values: Any) -> Listener:
    """Returns the listener of one file of answers. Raises ConfigError when it is not of this survey, or an answer is not possible."""
    if not isinstance(values, dict) or not isinstance(values.get("answers"), list):
        raise ConfigError("it is not a file of answers")
    if values.get("survey") != survey.identity:
        raise ConfigError(f"it is of another survey ({values.get('survey')!r:.40}, not {survey.identity})")
    session, plan = read_session(values.get("session")), read_plan(survey, values.get("plan"))
    given = [read_row(survey, row) for row in values["answers"]]
    _check_order([answer.item for answer in given], survey.plans[plan])
    first: dict[str, Answer] = {}
    repeats, checks, failed = [], 0, 0
    for answer in given:
        item = survey.items[answer.item]
        if item.kind == CHECK:
            checks += 1
            failed += answer.values["beeps"] not in item.accepted
        elif answer.item in first:
            earlier = first[answer.item].values
            repeats += [(answer.item, name, earlier[name], value) for name, value in answer.values.items() if name != CLASS]
        else:
            first[answer.item] = answer
    if not first:
        raise ConfigError("it has no answers to any sound")
    return Listener(session, read_background(survey, values.get("background")), list(first.values()), checks, failed, repeats)


def _check_order(items: Iterable[str], plan: list[str]) -> None:
    """Raises ConfigError unless the items are a beginning of the plan: a page gives them in this order."""
    items = list(items)
    if items != plan[: len(items)]:
        raise ConfigError("its answers are not in the order of its plan")
