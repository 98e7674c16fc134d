"""A listening survey as it is kept on disk: `survey.json` with the key, and the folder `public` that listeners get.

The folder `public` does not say which condition a sound belongs to: files have random names, and are equally loud.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.evaluation.survey.questions import CHECK, Question

FILE, PUBLIC, SOUNDS, ANSWERS = "survey.json", "public", "sounds", "answers"
FORMAT, VERSION = "timbrespace survey", 1
_LARGEST = 50_000_000  # bytes of a file that is read


@dataclass(frozen=True)
class Item:
    """A sound of a survey. name: of its file, without suffix. Others as in `stimuli.Stimulus`."""

    name: str
    kind: str
    condition: str
    source: str
    seconds: float
    category: str | None = None
    accepted: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The item as plain JSON values."""
        return {**vars(self), "accepted": list(self.accepted)}


@dataclass(frozen=True)
class Survey:
    """A survey. identity: random-looking, of this survey's sounds and plans. questions: kind of item -> its questions. background: on the
    listener. plans: names of items in the order of each listener. loudness: LKFS of every sound. skipped: (source, reason)."""

    identity: str
    title: str
    seed: int
    questions: dict[str, list[Question]]
    background: list[Question]
    items: dict[str, Item]
    plans: list[list[str]]
    loudness: float
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions, sorted."""
        return sorted({item.condition for item in self.items.values() if item.kind != CHECK})

    def as_dict(self) -> dict[str, Any]:
        """Everything, with the key, as plain JSON values."""
        return {
            "format": FORMAT, "version": VERSION, "id": self.identity, "title": self.title, "seed": self.seed, "loudness": self.loudness,
            "questions": {kind: [one.as_dict() for one in asked] for kind, asked in self.questions.items()},
            "background": [one.as_dict() for one in self.background],
            "items": [item.as_dict() for item in self.items.values()],
            "plans": self.plans, "skipped": [list(row) for row in self.skipped],
        }  # fmt: skip

    def public_dict(self) -> dict[str, Any]:
        """What a listener's page needs: no condition, no source, no right answer."""
        return {
            "id": self.identity, "title": self.title,
            "questions": {kind: [one.as_dict() for one in asked] for kind, asked in self.questions.items()},
            "background": [one.as_dict() for one in self.background],
            "kinds": {item.name: item.kind for item in self.items.values()},
            "seconds": {item.name: round(item.seconds, 3) for item in self.items.values()},
            "plans": self.plans,
        }  # fmt: skip


def read_survey(folder: Path | str) -> Survey:
    """Returns the survey in a folder that `survey make` wrote. Raises ConfigError."""
    path = Path(folder) / FILE
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ConfigError(f"{path} is not a survey; give the folder that `timbrespace survey make` wrote")
    if values.get("version") != VERSION:
        raise ConfigError(f"{path} is of version {values.get('version')!r:.20}, this release reads {VERSION}")
    try:
        items = [Item(**{**item, "accepted": tuple(item["accepted"])}) for item in values["items"]]
        survey = Survey(
            identity=str(values["id"]), title=str(values["title"]), seed=int(values["seed"]),
            questions={str(kind): _questions(asked) for kind, asked in values["questions"].items()},
            background=_questions(values["background"]), items={item.name: item for item in items},
            plans=[[str(name) for name in plan] for plan in values["plans"]], loudness=float(values["loudness"]),
            skipped=[(str(source), str(reason)) for source, reason in values["skipped"]],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged: {type(error).__name__} {error!s:.80}") from None
    if missing := {name for plan in survey.plans for name in plan} - set(survey.items):
        raise ConfigError(f"{path} is damaged: its plans name {sorted(missing)[0]!r:.40}, which is none of its sounds")
    return survey


def read_json(path: Path) -> Any:
    """Returns the values of a JSON file of at most 50 MB. Raises ConfigError."""
    try:
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than {_LARGEST // 1_000_000} MB; this is no file of a survey")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: None)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error!s:.120}") from None


def _questions(asked: Sequence[dict[str, Any]]) -> list[Question]:
    return [Question.from_dict(values) for values in asked]
