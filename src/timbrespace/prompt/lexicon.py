"""The words that prompts are read with: one YAML file for each language in `words/`, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.contracts import ConfigError
from timbrespace.prompt.tokens import words_of

WORDS = Path(__file__).parent / "words"
LANGUAGES = ("en", "de", "es", "fr")  # of words that several languages have the first one counts, unless the prompt is in another
UNITS = ("s", "ms", "Hz", "kHz", "dB", "%", "octave", "semitone")
Phrase = tuple[str, ...]
_INFLECTED = frozenset({"wish", "size", "velocity", "qualifier"})  # kinds that are adjectives


class Role(NamedTuple):
    """What a phrase can mean.

    kind: one of "wish", "noun", "size", "degree", "more", "less", "too", "not", "without", "neither", "like", "than", "as", "but", "and",
    "or", "factor", "times", "number", "unit", "velocity", "qualifier", "category", "subtype" (a word for some sounds of a category),
    "given", "outside" and "filler". name: of a descriptor, degree, unit, category, or of what no instrument controls. sign: +1 more,
    -1 less. value: of a factor or number; 1 of a superlative. comparative: "brighter".
    """

    kind: str
    name: str = ""
    sign: int = 0
    value: float = 0.0
    comparative: bool = False


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signed(_Strict):
    """Words for more and for less."""

    more: list[str] = []
    less: list[str] = []


class DescriptorWords(Signed):
    """Words of one descriptor. nouns name it ("decay"). presence: what its noun alone asks for: "with hiss" is more."""

    comparative_more: list[str] = []
    comparative_less: list[str] = []
    nouns: list[str] = []
    presence: str = Field("more", pattern="^(more|less|none)$")


class Language(_Strict):
    """The words of a language. endings: added to adjectives; swap: end of an adjective -> ends in its place."""

    language: str
    endings: list[str] = []
    swap: dict[str, list[str]] = {}
    descriptors: dict[str, DescriptorWords]
    sizes: Signed
    degrees: dict[str, list[str]]
    more: list[str]
    less: list[str]
    too: list[str]
    not_: list[str] = Field(alias="not")
    without: list[str]
    neither: list[str]
    like: list[str]
    than: list[str]
    as_: list[str] = Field(alias="as")
    but: list[str]
    and_: list[str] = Field(alias="and")
    or_: list[str] = Field(alias="or")
    factors: dict[str, float] = {}
    times: list[str] = []
    numbers: dict[str, float] = {}
    units: dict[str, list[str]] = {}
    velocity: Signed = Signed()
    qualifiers: dict[str, Signed] = {}
    categories: dict[str, list[str]] = {}
    subtypes: list[str] = []
    given: list[str] = []
    outside: dict[str, list[str]] = {}
    fillers: list[str] = []


@dataclass(frozen=True)
class Lexicon:
    """The phrases of one language: words in normal form -> what they can mean. longest: words of the longest phrase."""

    language: str
    phrases: dict[Phrase, tuple[Role, ...]]
    longest: int


@lru_cache(maxsize=1)
def lexicons() -> tuple[Lexicon, ...]:
    """Returns the lexicons of the package, in the order of LANGUAGES. Raises ConfigError for a damaged file."""
    return tuple(load_lexicon(WORDS / f"{name}.yaml") for name in LANGUAGES)


def load_lexicon(path: Path) -> Lexicon:
    """Returns the lexicon of a YAML file. Raises ConfigError that names the key."""
    try:
        words = Language.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the words of prompts in {path} cannot be read: {(str(error).splitlines() or ['?'])[0]:.200}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"the words of prompts in {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for group, known in ((words.descriptors, DESCRIPTORS), (words.qualifiers, DESCRIPTORS), (words.units, UNITS)):
        if odd := sorted(set(group) - set(known)):
            raise ConfigError(f"the words of prompts in {path} name {odd[0]!r}, allowed are: {', '.join(known)}")
    if odd := sorted(set(words.degrees) - {"bit", "very", "plain"}):
        raise ConfigError(f"the words of prompts in {path} name the degree {odd[0]!r}, allowed are: bit, very, plain")
    phrases: dict[Phrase, list[Role]] = {}
    written = list(_roles(words))
    for text, role in written:
        _add(phrases, text, role)
    listed = {phrase: {role.kind for role in roles} for phrase, roles in phrases.items()}
    for text, role in written:
        if role.kind in _INFLECTED:
            for form in _forms(text, words):
                own = listed.get(words_of(form), set())
                if own <= _INFLECTED - {role.kind}:  # "weniger" is less, not a form of "wenig"; "heller" compares
                    _add(phrases, form, role)
    return Lexicon(path.stem, {phrase: tuple(roles) for phrase, roles in phrases.items()}, max(map(len, phrases)))


def _roles(words: Language) -> Iterator[tuple[str, Role]]:
    """(text, role) of every phrase of a language."""
    for name, own in words.descriptors.items():
        for texts, sign, comparative in (
            (own.more, 1, False), (own.less, -1, False), (own.comparative_more, 1, True), (own.comparative_less, -1, True),
        ):  # fmt: skip
            yield from ((text, Role("wish", name, sign, comparative=comparative)) for text in texts)
            if comparative:
                yield from ((form, Role("wish", name, sign, value=1.0)) for text in texts for form in _superlatives(text, words))
        yield from ((text, Role("noun", name, {"more": 1, "less": -1, "none": 0}[own.presence])) for text in own.nouns)
    for kind, signed in (("size", words.sizes), ("velocity", words.velocity)):
        yield from _signed(kind, "", signed)
    for name, signed in words.qualifiers.items():
        yield from _signed("qualifier", name, signed)
    for name, texts in words.degrees.items():
        yield from ((text, Role("degree", name)) for text in texts)
    plain = {
        "more": words.more, "less": words.less, "too": words.too, "not": words.not_, "without": words.without, "neither": words.neither,
        "like": words.like, "than": words.than, "as": words.as_, "but": words.but, "and": words.and_, "or": words.or_, "times": words.times,
        "subtype": words.subtypes, "given": words.given, "filler": words.fillers,
    }  # fmt: skip
    yield from ((text, Role(kind)) for kind, texts in plain.items() for text in texts)
    yield from ((text, Role("factor", value=value)) for text, value in words.factors.items())
    yield from ((text, Role("number", value=value)) for text, value in words.numbers.items())
    for kind, named in (("unit", words.units), ("category", words.categories), ("outside", words.outside)):
        yield from ((text, Role(kind, name)) for name, texts in named.items() for text in texts)


def _superlatives(text: str, words: Language) -> Iterator[str]:
    """ "darkest" of "darker", "dunkelste" of "dunkler": where comparatives end in -er."""
    if text.endswith("er"):
        yield from (text.removesuffix("er") + middle + end for middle in ("st", "est") for end in (words.endings or [""]))


def _signed(kind: str, name: str, signed: Signed) -> Iterator[tuple[str, Role]]:
    for texts, sign in ((signed.more, 1), (signed.less, -1)):
        yield from ((text, Role(kind, name, sign)) for text in texts)


def _forms(text: str, words: Language) -> Iterator[str]:
    """The inflected forms of an adjective."""
    yield from (text + ending for ending in words.endings)
    for end, others in words.swap.items():
        if text.endswith(end):
            yield from (text.removesuffix(end) + other for other in others)


def _add(phrases: dict[Phrase, list[Role]], text: str, role: Role) -> None:
    phrase = words_of(text)
    if phrase and role not in phrases.setdefault(phrase, []):
        phrases[phrase].append(role)
