"""The questions of a listening survey: on the sounds, and on the listener."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from timbrespace.contracts import ConfigError

MOST_OPTIONS = 16
QUALITY, CLASS, SMOOTHNESS = "quality", "class", "smoothness"
SINGLE, MORPH, CHECK = "single", "morph", "check"  # the kinds of items


@dataclass(frozen=True)
class Question:
    """One question. kind: "scale" (1 to 5), "choice" (one of `options`). ends: what 1 and 5 of a scale mean."""

    name: str
    text: str
    kind: str = "scale"
    ends: tuple[str, str] = ("", "")
    options: tuple[str, ...] = ()

    def allows(self, answer: object) -> bool:
        """Whether a value is an answer to this question."""
        if self.kind == "scale":
            return isinstance(answer, int) and not isinstance(answer, bool) and 1 <= answer <= 5
        return isinstance(answer, str) and answer in self.options

    def as_dict(self) -> dict[str, Any]:
        """The question as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Question:
        """Returns the question of `as_dict`. Raises ConfigError when the values are none."""
        try:
            question = cls(
                str(values["name"]), str(values["text"]), str(values["kind"]), (str(values["ends"][0]), str(values["ends"][1])),
                tuple(str(option) for option in values["options"]),
            )  # fmt: skip
        except (KeyError, TypeError, IndexError) as error:
            raise ConfigError(f"a question of the survey is damaged: {type(error).__name__} {error}") from None
        if question.kind not in ("scale", "choice") or (question.kind == "choice") != bool(question.options):
            raise ConfigError(f"question {question.name!r} is of the kind {question.kind!r}, allowed are scale and choice with options")
        return question


def sound_questions(categories: list[str]) -> dict[str, list[Question]]:
    """Returns the questions of each kind of item. categories: what the class question offers; with fewer than two it is not asked."""
    quality = Question(QUALITY, "How good does it sound?", ends=("bad: I would never use it", "excellent: as a good recording"))
    smooth = Question(SMOOTHNESS, "How smoothly does it go from the first sound to the last?", ends=("in jumps", "evenly"))
    singles, morphs = [quality], [quality, smooth]
    if 2 <= len(categories) <= MOST_OPTIONS:
        kind = Question(CLASS, "What is it?", "choice", options=(*categories, "something else"))
        singles.append(kind)
        morphs.append(Question(CLASS, "What is it most of all?", "choice", options=kind.options))
    return {SINGLE: singles, MORPH: morphs, CHECK: [check_question()]}


def check_question() -> Question:
    """Returns the question of an attention check: the number of beeps, which only a listener with working sound knows."""
    text = "How many beeps are there? (This one checks that the sound works.)"
    return Question("beeps", text, "choice", options=("1", "2", "3", "4", "5"))


def background_questions() -> list[Question]:
    """Returns the questions on the listener, asked once, before the sounds."""
    return [
        Question("age", "Your age", "choice", options=("under 18", "18 to 29", "30 to 44", "45 to 59", "60 or over", "I'd rather not say")),
        Question(
            "music", "How long have you made music (an instrument, singing, production)?", "choice",
            options=("never", "under 2 years", "2 to 5 years", "6 to 10 years", "over 10 years"),
        ),
        Question(
            "production", "Do you choose or make sounds for music?", "choice", options=("never", "sometimes", "often", "for a living")
        ),
        Question("device", "You listen on", "choice", options=("headphones", "loudspeakers", "a laptop or a phone")),
        Question("hearing", "Is your hearing impaired?", "choice", options=("no", "yes", "I don't know")),
    ]  # fmt: skip
