"""What a prompt was understood to ask for, in words for people and as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from timbrespace.audio.describe import DESCRIPTORS

DEGREES = {"bit": 0.6, "plain": 1.2, "very": 2.0}  # of a wish, in spreads of the category


@dataclass(frozen=True)
class Wish:
    """A wish about one descriptor: exactly one of amount, factor, target and equal.

    amount: signed, in spreads of the category. factor: times the value of what it is compared with. target: in the descriptor's unit.
    equal: the value of the compared sound. against: "category" (its median) or "sound". hedged: "not too bright". words: of the prompt.
    """

    descriptor: str
    words: str
    amount: float | None = None
    factor: float | None = None
    target: float | None = None
    equal: bool = False
    hedged: bool = False
    against: str = "category"

    @property
    def sign(self) -> int:
        """+1 for more, -1 for less, 0 for a value."""
        if self.amount is not None:
            return 1 if self.amount > 0 else -1
        if self.factor is not None and self.factor != 1:
            return 1 if self.factor > 1 else -1
        return 0

    def describe(self) -> str:
        """Returns the wish in words: "brighter (a bit)", "length 0.4 s"."""
        one = DESCRIPTORS[self.descriptor]
        if self.target is not None:
            return f"{self.descriptor} {self.target:.4g} {one.unit}".strip()
        if self.factor is not None:
            return f"{self.descriptor} times {self.factor:.3g}{self._than}"
        if self.equal or self.amount is None:
            return f"the same {self.descriptor} as the compared sound"
        size = abs(self.amount)
        degree = " (a bit)" if size < 0.9 * DEGREES["plain"] else " (much)" if size > 1.1 * DEGREES["plain"] else ""
        return f"{one.more if self.amount > 0 else one.less}{self._than}{degree}"

    @property
    def _than(self) -> str:
        return " than the compared sound" if self.against == "sound" else ""


@dataclass(frozen=True)
class Compared:
    """The sound that a prompt compares with. name: as the instrument or the user calls it. clip: number of the training sound; None for
    the given one. like: new sounds shall resemble it; else it is only what a wish is measured against. category: of a training sound."""

    name: str
    clip: int | None
    like: bool = True
    category: str | None = None


@dataclass(frozen=True)
class NamedWord:
    """A word of the user's own file and folder names. token: as the names have it. sign: -1 for "not …". words: those of the prompt."""

    token: str
    words: str
    sign: int = 1


@dataclass(frozen=True)
class Unknown:
    """A word without a meaning here, and why."""

    word: str
    reason: str


@dataclass(frozen=True)
class Conflict:
    """A descriptor that is asked for in two directions, and the words that do. None of them is used."""

    descriptor: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """A prompt as it was understood.

    languages: of its words. categories: any of these; none: all. excluded: none of these. velocity: -1 softly, +1 hard, 0 not said.
    encoded: the words went through a text encoder too. notes: other things that a person should know.
    """

    prompt: str
    languages: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    wishes: tuple[Wish, ...] = ()
    compared: Compared | None = None
    named: tuple[NamedWord, ...] = ()
    velocity: int = 0
    encoded: bool = False
    conflicts: tuple[Conflict, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the prompt holds no wish that a sound could follow."""
        return not (self.categories or self.excluded or self.wishes or self.compared or self.named or self.velocity or self.encoded)

    def lines(self) -> list[str]:
        """Returns how the prompt was understood, a line for each part: "category: snare"."""
        found: list[str] = []
        if self.categories:
            found.append(f"category: {' or '.join(self.categories)}")
        if self.excluded:
            found.append(f"not: {', '.join(self.excluded)}")
        if self.compared:
            found.append(f"{'like' if self.compared.like else 'compared with'}: {self.compared.name}")
        found += [f"{wish.words}: {wish.describe()}" for wish in self.wishes]
        found += [f"{word.words}: {'un' * (word.sign < 0)}like your sounds named {word.token!r}" for word in self.named]
        if self.velocity:
            found.append(f"played {'hard' if self.velocity > 0 else 'softly'}")
        if self.encoded:
            found.append("the whole prompt: by the text encoder")
        found += [f"contradiction, not used: {' and '.join(conflict.words)} ({conflict.descriptor})" for conflict in self.conflicts]
        return found + [f"not understood: {one.word} ({one.reason})" for one in self.unknown] + [f"note: {note}" for note in self.notes]

    def as_dict(self) -> dict[str, Any]:
        """Returns the reading as plain JSON values; parts that are empty are left out."""
        values = {key: value for key, value in asdict(self).items() if value not in ((), None, 0, False)}
        for key in ("wishes", "named", "unknown", "conflicts"):
            if key in values:
                values[key] = [{k: v for k, v in one.items() if v is not None and v is not False} for one in values[key]]
        return values
