"""Checks what a listener sent against the survey: the name of the session, the plan, the answers on the listener and on one sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.survey import Survey

_LONGEST_ANSWER = 1e6  # seconds to an answer that are believed


@dataclass(frozen=True)
class Answer:
    """The answers to the questions on one item. seconds: from the end of the first playing to the answer, or None."""

    item: str
    values: dict[str, Any]
    seconds: float | None = None


def read_session(value: object) -> str:
    """Returns the name of a session. Raises ConfigError when it is none."""
    if not isinstance(value, str) or not value.isascii() or not value.isalnum() or not 8 <= len(value) <= 64:
        raise ConfigError("its session has no name")
    return value


def read_plan(survey: Survey, value: object) -> int:
    """Returns the number of a plan. Raises ConfigError when the survey has no such plan."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(survey.plans):
        raise ConfigError(f"its plan is {value!r:.20}, allowed is 0 to {len(survey.plans) - 1}")
    return value


def read_row(survey: Survey, row: Any) -> Answer:
    """Returns the answers to one sound: only the survey's own questions. Raises ConfigError when one of them is missing or not possible."""
    item = row.get("item") if isinstance(row, Mapping) else None
    if not isinstance(item, str) or not isinstance(row.get("values"), Mapping) or item not in survey.items:
        raise ConfigError("one of its answers is to no sound of the survey")
    asked = survey.questions[survey.items[item].kind]
    values = row["values"]
    for question in asked:
        if not question.allows(values.get(question.name)):
            raise ConfigError(f"it answers {question.name} with {values.get(question.name)!r:.40}, which is not possible")
    return Answer(item, {question.name: values[question.name] for question in asked}, _seconds(row.get("seconds")))


def read_background(survey: Survey, values: Any) -> dict[str, str]:
    """Returns the possible ones of the answers on the listener; they are voluntary, so that others are left out."""
    given = values if isinstance(values, Mapping) else {}
    return {question.name: given[question.name] for question in survey.background if question.allows(given.get(question.name))}


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < _LONGEST_ANSWER else None  # type: ignore[operator,return-value]
