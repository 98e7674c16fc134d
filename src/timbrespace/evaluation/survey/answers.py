"""Reads the answers of listeners, checks them, and says which are left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.questions import CHECK, CLASS
from timbrespace.evaluation.survey.survey import Survey, read_json

_MOST_FILES = 10_000
_STEADY = 1  # steps by which the second rating of a repeated sound may differ to count as steady


@dataclass(frozen=True)
class Answer:
    """The answers to the questions on one item. seconds: from the end of the first playing to the answer, or None."""

    item: str
    values: dict[str, Any]
    seconds: float | None = None


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


def read_answers(survey: Survey, folder: Path | str) -> tuple[list[Listener], list[tuple[str, str]]]:
    """Returns the listeners whose files are in a folder, and (file, reason) of the files that are left out.

    A session that was handed in twice counts once, in its longest form. Raises ConfigError when there are no files.
    """
    files = sorted(path for path in Path(folder).glob("*.json") if path.is_file()) if Path(folder).is_dir() else []
    if not files:
        raise ConfigError(f"there are no answers in {folder}; put the files there that listeners downloaded at the end (answers-….json)")
    if len(files) > _MOST_FILES:
        raise ConfigError(f"{folder} has {len(files)} files, at most {_MOST_FILES} are read")
    listeners: dict[str, Listener] = {}
    left_out: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for path in files:
        try:
            listener = listener_of(survey, read_json(path))
        except ConfigError as error:
            left_out.append((path.name, str(error)))
            continue
        earlier = listeners.get(listener.session)
        if earlier is not None and len(listener.answers) <= len(earlier.answers):
            left_out.append((path.name, f"the same session as {names[listener.session]}"))
            continue
        if earlier is not None:
            left_out.append((names[listener.session], f"the same session as {path.name}"))
        listeners[listener.session], names[listener.session] = listener, path.name
    return list(listeners.values()), left_out


def listener_of(survey: Survey, values: Any) -> Listener:
    """Returns the listener of one file of answers. Raises ConfigError when it is not of this survey, or an answer is not possible."""
    if not isinstance(values, dict) or not isinstance(values.get("answers"), list):
        raise ConfigError("it is not a file of answers")
    if values.get("survey") != survey.identity:
        raise ConfigError(f"it is of another survey ({values.get('survey')!r:.40}, not {survey.identity})")
    session = values.get("session")
    if not isinstance(session, str) or not session.isalnum() or not 8 <= len(session) <= 64:
        raise ConfigError("its session has no name")
    plan = values.get("plan")
    if not isinstance(plan, int) or isinstance(plan, bool) or not 0 <= plan < len(survey.plans):
        raise ConfigError(f"its plan is {plan!r:.20}, allowed is 0 to {len(survey.plans) - 1}")
    given = [_answer(survey, row) for row in values["answers"]]
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
    return Listener(session, _background(survey, values.get("background")), list(first.values()), checks, failed, repeats)


def _answer(survey: Survey, row: Any) -> Answer:
    if not isinstance(row, dict) or not isinstance(row.get("values"), dict) or row.get("item") not in survey.items:
        raise ConfigError("one of its answers is to no sound of the survey")
    asked = survey.questions[survey.items[row["item"]].kind]
    values = row["values"]
    for question in asked:
        if not question.allows(values.get(question.name)):
            raise ConfigError(f"it answers {question.name} with {values.get(question.name)!r:.40}, which is not possible")
    seconds = row.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e6:
        seconds = None
    return Answer(row["item"], {question.name: values[question.name] for question in asked}, seconds)


def _check_order(items: Iterable[str], plan: list[str]) -> None:
    """Raises ConfigError unless the items are a beginning of the plan: a page gives them in this order."""
    items = list(items)
    if items != plan[: len(items)]:
        raise ConfigError("its answers are not in the order of its plan")


def _background(survey: Survey, values: Any) -> dict[str, str]:
    given = values if isinstance(values, dict) else {}
    return {question.name: given[question.name] for question in survey.background if question.allows(given.get(question.name))}
