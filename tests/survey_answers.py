"""Answers to a survey, as its page saves them."""

from __future__ import annotations

from typing import Any

from timbrespace.evaluation.survey.survey import Survey


def answers_of(survey: Survey, plan: int, *, likes: dict[str, int], session: str = "", beeps_right: bool = True) -> dict[str, Any]:
    """A listener who rates every sound of a condition alike, and knows every class."""
    given = []
    for name in survey.plans[plan]:
        item = survey.items[name]
        values: dict[str, Any] = {}
        for question in survey.questions[item.kind]:
            if question.kind == "scale":
                values[question.name] = likes[item.condition]
            else:
                right = item.accepted[0] if item.accepted else question.options[0]
                values[question.name] = right if beeps_right or item.kind != "check" else "1"
        given.append({"item": name, "values": values, "seconds": 2.5})
    background = {question.name: question.options[0] for question in survey.background}
    return {"survey": survey.identity, "session": session or f"session{plan:04d}", "plan": plan, "background": background, "answers": given}
