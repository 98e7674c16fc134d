"""What a survey found: for each kind of sound and each question the conditions compared, and a plain reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.answers import Listener, read_answers
from timbrespace.evaluation.survey.questions import CHECK, CLASS
from timbrespace.evaluation.survey.statistics import Comparison, Recognition, compare, recognise
from timbrespace.evaluation.survey.survey import Survey, read_survey
from timbrespace.evaluation.survey.wording import read_comparison, read_recognition


@dataclass(frozen=True)
class Rated:
    """A question on a scale. kind: of the sounds. ratings: condition -> all ratings."""

    kind: str
    question: str
    text: str
    comparison: Comparison
    reading: list[str]
    ratings: dict[str, list[float]]


@dataclass(frozen=True)
class Recognised:
    """The class question. kind: of the sounds."""

    kind: str
    text: str
    recognition: Recognition
    reading: list[str]


@dataclass(frozen=True)
class Analysis:
    """Results of a survey.

    listeners: that count. failed: (session, attention checks failed) of those left out. left_out: (file, reason). background: question ->
    answer -> listeners. steadiness: share of repeated ratings within one step.
    """

    title: str
    conditions: list[str]
    listeners: int
    rated: list[Rated]
    recognised: list[Recognised]
    failed: list[tuple[str, int]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    background: dict[str, dict[str, int]] = field(default_factory=dict)
    steadiness: float | None = None


def analyse(folder: Path | str, answers: Path | str, *, keep_all: bool = False, seed: int = 0) -> Analysis:
    """Returns the analysis of a survey's folder and a folder of answers.

    keep_all: keep listeners who failed an attention check. Raises ConfigError.
    """
    survey = read_survey(folder)
    listeners, left_out = read_answers(survey, answers)
    failed = [] if keep_all else [(one.session, one.failed) for one in listeners if one.failed]
    kept = [one for one in listeners if keep_all or not one.failed]
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out[:3]) or "all failed an attention check (--keep-all keeps them)"
        raise ConfigError(f"none of the answers in {answers} can be used: {reasons}")
    return analyse_listeners(survey, kept, failed=failed, left_out=left_out, seed=seed)


def analyse_listeners(
    survey: Survey, listeners: Sequence[Listener], *, failed: list[tuple[str, int]] | None = None,
    left_out: list[tuple[str, str]] | None = None, seed: int = 0,
) -> Analysis:  # fmt: skip
    """Returns the analysis of listeners that have been read, see `analyse`."""
    rated, recognised = [], []
    for kind, asked in survey.questions.items():
        if kind == CHECK:
            continue
        for question in asked:
            if question.name == CLASS:
                if found := _recognition(survey, listeners, kind, question.text, len(question.options)):
                    recognised.append(found)
            elif ratings := _ratings(survey, listeners, kind, question.name):
                comparison = compare(ratings, seed=seed)
                values = {name: [value for _, value in rows] for name, rows in ratings.items()}
                rated.append(Rated(kind, question.name, question.text, comparison, read_comparison(comparison, question.name), values))
    repeats = [abs(a - b) <= 1 for one in listeners for *_, a, b in one.repeats]
    background = {
        question.name: dict(Counter(one.background[question.name] for one in listeners if question.name in one.background))
        for question in survey.background
    }
    return Analysis(
        survey.title, survey.conditions, len(listeners), rated, recognised, failed or [], left_out or [], background,
        sum(repeats) / len(repeats) if repeats else None,
    )  # fmt: skip


def _ratings(survey: Survey, listeners: Sequence[Listener], kind: str, question: str) -> dict[str, list[tuple[str, float]]]:
    """Condition -> (listener, rating) of one question on one kind of sounds; conditions without ratings are left out."""
    rows: dict[str, list[tuple[str, float]]] = {}
    for listener in listeners:
        for answer in listener.answers:
            item = survey.items[answer.item]
            if item.kind == kind:
                rows.setdefault(item.condition, []).append((listener.session, float(answer.values[question])))
    return dict(sorted(rows.items()))


def _recognition(survey: Survey, listeners: Sequence[Listener], kind: str, text: str, options: int) -> Recognised | None:
    rows, guesses = [], []
    for listener in listeners:
        for answer in listener.answers:
            item = survey.items[answer.item]
            if item.kind == kind and item.accepted:
                given = str(answer.values[CLASS])
                guesses.append(len(item.accepted) / options)
                rows.append((item.condition, " or ".join(item.accepted), given, given in item.accepted))
    if not rows:
        return None
    recognition = recognise(sorted(rows), chance=sum(guesses) / len(guesses))
    return Recognised(kind, text, recognition, read_recognition(recognition))
