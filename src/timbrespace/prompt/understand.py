"""Understands a prompt: text to `Reading`, with the words of one instrument. Text is only read: no path in it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from timbrespace.contracts import ConfigError
from timbrespace.prompt.grammar import Reader, Said
from timbrespace.prompt.reading import Compared, NamedWord, Reading, Unknown
from timbrespace.prompt.scan import languages_in, scan
from timbrespace.prompt.settle import settle
from timbrespace.prompt.tokens import MOST_CHARACTERS, tokens_of, without_ranges
from timbrespace.prompt.vocabulary import Vocabulary

EXAMPLE = '"short bright snare, a bit noisy"'


def read_prompt(prompt: str, vocabulary: Vocabulary) -> Reading:
    """Returns how a prompt is understood with the words of an instrument. Any text is read; only an invalid prompt raises ConfigError.

    Words without a meaning, contradictions and wishes without a control are listed in the reading, not raised.
    """
    check_prompt(prompt)
    text, ranges = without_ranges(prompt)
    tokens = tokens_of(text)
    languages = languages_in(tokens)
    items = scan(text, tokens, vocabulary, languages)
    said = Reader(items, vocabulary).read()
    if vocabulary.given is not None and said.compared is None:
        said.compared = Compared(vocabulary.given, None)
    wishes, conflicts, notes = settle(said.wishes, compared=said.compared is not None)
    categories, excluded, more = _categories(said)
    return Reading(
        prompt=prompt,
        languages=tuple(languages[:1]),
        categories=categories,
        excluded=excluded,
        wishes=wishes,
        compared=said.compared,
        named=_once(said.named),
        velocity=said.velocity,
        conflicts=conflicts,
        unknown=_each_once(said.unknown),
        notes=tuple(dict.fromkeys((*ranges, *said.notes, *notes, *more))),
    )


def check_prompt(prompt: object) -> None:
    """Raises ConfigError for an invalid prompt: no text, an empty one, one that is too long."""
    if not isinstance(prompt, str):
        raise ConfigError(f"a prompt is a text, not {type(prompt).__name__}; for instance {EXAMPLE}")
    if not prompt.strip():
        raise ConfigError(f"the prompt is empty; say what the sounds shall be like, for instance {EXAMPLE}")
    if len(prompt) > MOST_CHARACTERS:
        raise ConfigError(f"the prompt has {len(prompt)} characters, allowed are {MOST_CHARACTERS}; say it shorter")


def _categories(said: Said) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Categories asked for, those excluded, and a note where one is both."""
    wanted = list(dict.fromkeys(category for _, category in said.categories))
    excluded = list(dict.fromkeys(said.excluded))
    both = [category for category in wanted if category in excluded]
    notes = tuple(f"{category} is asked for and excluded: neither is used" for category in both)
    return tuple(c for c in wanted if c not in both), tuple(c for c in excluded if c not in both), notes


def _once(named: Sequence[NamedWord]) -> tuple[NamedWord, ...]:
    """Each word of names once; one that is asked for and excluded is left out."""
    signs: dict[str, set[int]] = {}
    for word in named:
        signs.setdefault(word.token, set()).add(word.sign)
    return tuple({word.token: word for word in reversed(named) if len(signs[word.token]) == 1}.values())[::-1]


def _each_once(unknown: Sequence[Unknown]) -> tuple[Unknown, ...]:
    return tuple({one.word.casefold(): one for one in reversed(unknown)}.values())[::-1]


def demand(reading: Reading) -> Reading:
    """Returns a reading that asks for something. Raises ConfigError that says why a prompt asks for nothing that can be followed."""
    if not reading.is_empty:
        return reading
    reasons = [f"{one.word}: {one.reason}" for one in reading.unknown]
    reasons += [f"{' and '.join(one.words)} contradict each other ({one.descriptor})" for one in reading.conflicts]
    reasons += list(reading.notes)
    raise ConfigError(
        f"the prompt {reading.prompt[:200]!r} asks for nothing that this instrument can follow"
        + (f" ({'; '.join(reasons[:8])})" if reasons else "")
        + f"; name a category or say what the sounds shall be like, for instance {EXAMPLE}"
    )


def with_encoder(reading: Reading) -> Reading:
    """Returns the reading of a prompt that a text encoder reads too: words without a meaning here may have one for it."""
    return replace(reading, encoded=True)
