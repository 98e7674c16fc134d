"""Reads a prompt from left to right into items: phrases with all that they can mean, sounds, quantities, unknown words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.corpus.labels.categories import parts_of
from timbrespace.prompt.lexicon import LANGUAGES, Lexicon, Role, lexicons
from timbrespace.prompt.tokens import Token, midi_of
from timbrespace.prompt.vocabulary import Vocabulary

_LEAST_FUZZY = 5  # letters of a word that may be misspelt
_PATH = re.compile(r"(?<!\S)(?:[~/\\]|[A-Za-z]:[/\\])\S+|\S*[^\s/\\]\.(?:wav|flac|aiff?|aifc|ogg|mp3|caf|opus)(?![^\W_])", re.IGNORECASE)
_COMPARING = frozenset({"like", "than"})
_UNIT_WORDS = {"s": "s", "ms": "ms", "hz": "Hz", "khz": "kHz", "db": "dB", "%": "%"}


@dataclass(frozen=True)
class Item:
    """A phrase of the prompt. text: as written. roles: kind -> role; empty for a word without a meaning. read_as: of a misspelt one.

    sounds: numbers of training sounds of this name, -1 for the given one. value, unit: of a quantity; the unit "" is a bare number.
    """

    text: str
    roles: dict[str, Role]
    read_as: str = ""
    sounds: Sequence[int] = ()
    value: float | None = None
    unit: str = ""

    def has(self, *kinds: str) -> bool:
        """Whether the phrase can mean one of these kinds."""
        return any(kind in self.roles for kind in kinds)


def languages_in(tokens: Sequence[Token]) -> list[str]:
    """Returns the languages, that of most words of the prompt first."""
    counts = Counter[str]()
    for lexicon in lexicons():
        place = 0
        while place < len(tokens):
            size = _phrase_at(tokens, place, lexicon)
            counts[lexicon.language] += size
            place += max(1, size)
    return sorted(LANGUAGES, key=lambda name: (-counts[name], LANGUAGES.index(name)))


def scan(text: str, tokens: Sequence[Token], vocabulary: Vocabulary, languages: Sequence[str]) -> list[Item]:
    """Returns the items of a prompt in order. languages: those whose meaning counts first."""
    ordered = sorted(lexicons(), key=lambda one: list(languages).index(one.language))
    paths = {match.start(): match.end() for match in _PATH.finditer(text)}
    items: list[Item] = []
    place = 0
    while place < len(tokens):
        found = _path_at(text, tokens, place, vocabulary, paths.get(tokens[place].start))
        item, size = found or _item_at(text, tokens, place, vocabulary, ordered, comparing=_compares(items))
        items.append(item)
        place += size
    return items


def _path_at(text: str, tokens: Sequence[Token], place: int, vocabulary: Vocabulary, end: int | None) -> tuple[Item, int] | None:
    """What looks like the path of a file, unless a training sound is called so: one item without a meaning. It is not opened."""
    if end is None:
        return None
    size = max(1, sum(token.end <= end for token in tokens[place:]))
    named = _sound_at(tokens, place, vocabulary)
    return None if named and named[1] >= size else (Item(_between(text, tokens, place, size), {"path": Role("path")}), size)


def _compares(items: Sequence[Item]) -> bool:
    """Whether a sound may follow: "like", "than", and fillers behind them."""
    for item in reversed(items):
        if item.has(*_COMPARING):
            return True
        if not item.has("filler"):
            return False
    return False


def _item_at(
    text: str, tokens: Sequence[Token], place: int, vocabulary: Vocabulary, ordered: Sequence[Lexicon], *, comparing: bool
) -> tuple[Item, int]:
    """The item that begins at a token, and its number of tokens."""
    token = tokens[place]
    if token.kind == "stop":
        return Item(token.text, {"stop": Role("stop")}), 1
    named = _sound_at(tokens, place, vocabulary)
    if named and (_is_telling(tokens[place : place + named[1]]) or (comparing and not _is_category(tokens, place, named[1], vocabulary))):
        return Item(_between(text, tokens, place, named[1]), {"sound": Role("sound")}, sounds=named[0]), named[1]
    quantity = _quantity_at(text, tokens, place, ordered)
    if quantity:
        return quantity
    roles, size = _roles_at(tokens, place, vocabulary, ordered)
    if roles:
        return Item(_between(text, tokens, place, size), roles), size
    near = _misspelt(token.norm, vocabulary)
    if near:
        roles, _ = _roles_at([token._replace(norm=near)], 0, vocabulary, ordered)
        return Item(token.text, roles, read_as=near), 1
    return Item(token.text, {}), 1


def _between(text: str, tokens: Sequence[Token], place: int, size: int) -> str:
    return text[tokens[place].start : tokens[place + size - 1].end]


def _is_telling(tokens: Sequence[Token]) -> bool:
    """Whether a name can only be a file's: several words with a number among them, or one with letters and digits ("kick01")."""
    digits = any(any(c.isdigit() for c in token.norm) for token in tokens)
    letters = any(any(c.isalpha() for c in token.norm) for token in tokens)
    return digits and letters and midi_of(tokens[0].text) is None and not (len(tokens) == 2 and tokens[0].kind == "number")


def _is_category(tokens: Sequence[Token], place: int, size: int, vocabulary: Vocabulary) -> bool:
    """Whether these tokens are a word for a category: "like a snare" is no comparison with the file "snare.wav"."""
    return tuple(token.norm for token in tokens[place : place + size]) in vocabulary.categories


def _sound_at(tokens: Sequence[Token], place: int, vocabulary: Vocabulary) -> tuple[Sequence[int], int] | None:
    """The training sounds whose name begins here, and the number of tokens, slashes and points between its words included."""
    words: list[str] = []
    sizes: list[int] = []
    for offset, token in enumerate(tokens[place:]):
        if token.kind == "stop":
            if token.text not in "/\\.()":
                break
            continue
        words.append(token.norm)
        sizes.append(offset + 1)
    found = vocabulary.sound_at(words)
    return None if found is None else (found[1], sizes[found[0] - 1])


def _quantity_at(text: str, tokens: Sequence[Token], place: int, ordered: Sequence[Lexicon]) -> tuple[Item, int] | None:
    """A number with or without unit, or a note name."""
    token = tokens[place]
    note = midi_of(token.text)
    if note is not None:
        return Item(token.text, {"quantity": Role("quantity")}, value=float(note), unit="note"), 1
    if token.kind != "number":
        return _quantity_in_words(text, tokens, place, ordered)
    value = max(-1e9, min(1e9, token.value))
    following = tokens[place + 1].norm if place + 1 < len(tokens) and tokens[place + 1].kind == "word" else ""
    unit = _UNIT_WORDS.get(following, "")
    if not unit and following:
        for lexicon in ordered:
            for role in lexicon.phrases.get((following,), ()):
                if role.kind in ("unit", "times"):
                    unit = unit or (role.name if role.kind == "unit" else "times")
    size = 2 if unit else 1
    return Item(_between(text, tokens, place, size), {"quantity": Role("quantity")}, value=value, unit=unit), size


def _quantity_in_words(text: str, tokens: Sequence[Token], place: int, ordered: Sequence[Lexicon]) -> tuple[Item, int] | None:
    """ "two seconds", "an octave": a number in words with a unit behind it, or a unit that counts as one."""
    for lexicon in ordered:
        roles = lexicon.phrases.get((tokens[place].norm,), ())
        number = next((role.value for role in roles if role.kind == "number"), None)
        for size in (3, 2, 1):
            phrase = tuple(token.norm for token in tokens[place : place + size])
            behind = phrase[1:] if number is not None else phrase
            unit = next((role.name for role in lexicon.phrases.get(behind, ()) if role.kind == "unit"), "")
            if len(phrase) == size and unit and (number is not None or unit in ("octave", "semitone")):
                value = 1.0 if number is None else number
                return Item(_between(text, tokens, place, size), {"quantity": Role("quantity")}, value=value, unit=unit), size
    return None


def _phrase_at(tokens: Sequence[Token], place: int, lexicon: Lexicon) -> int:
    """The number of tokens of the longest phrase that begins here, 0 for none."""
    for size in range(min(lexicon.longest, len(tokens) - place), 0, -1):
        if tuple(token.norm for token in tokens[place : place + size]) in lexicon.phrases:
            return size
    return 0


def _roles_at(tokens: Sequence[Token], place: int, vocabulary: Vocabulary, ordered: Sequence[Lexicon]) -> tuple[dict[str, Role], int]:
    """The roles of the longest phrase that begins here, and its number of tokens.

    A category of the instrument and a learned word keep their meaning beside that of the first language which knows the phrase.
    """
    longest = max(6, *(lexicon.longest for lexicon in ordered))
    for size in range(min(longest, len(tokens) - place), 0, -1):
        part = tokens[place : place + size]
        if any(token.kind == "stop" for token in part):
            continue
        phrase = tuple(token.norm for token in part)
        roles: dict[str, Role] = {}
        for lexicon in ordered:
            if not roles:
                roles |= {role.kind: role for role in lexicon.phrases.get(phrase, ()) if role.kind not in ("category", "unit", "subtype")}
        known = vocabulary.categories.get(phrase)
        if known:
            roles["category"] = Role("category", known[1], value=known[0])
            if any(role.kind == "subtype" for lexicon in ordered for role in lexicon.phrases.get(phrase, ())):
                roles["subtype"] = Role("subtype")
        elif not roles and phrase in vocabulary.absent:
            roles["absent"] = Role("absent", vocabulary.absent[phrase])
        words = {word for token in part for word in parts_of(token.norm)} & vocabulary.learned if size == 1 else set()
        if words:
            roles["named"] = Role("named", min(words))
        if roles:
            return roles, size
    return {}, 1


def _misspelt(word: str, vocabulary: Vocabulary) -> str | None:
    """The known word that a misspelt one is most like, None if there is none with the same first letter."""
    if len(word) < _LEAST_FUZZY or not word.isalpha():
        return None
    known = _single_words()
    own = [phrase[0] for phrase in vocabulary.categories if len(phrase) == 1] + sorted(vocabulary.learned)
    near = [one for one in (*own, *known) if len(one) >= _LEAST_FUZZY and _one_slip(word, one)]
    return near[0] if near else None


def _one_slip(one: str, other: str) -> bool:
    """Whether two words with the same first letter differ by one letter: exchanged with its neighbour, missing, added or another one."""
    if one[:1] != other[:1] or abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    first, second = one[start:], other[start:]
    swapped = first[:2] == second[1::-1] and first[2:] == second[2:] and len(first) > 1
    return swapped or first[1:] == second or first == second[1:] or first[1:] == second[1:]


@lru_cache(maxsize=1)
def _single_words() -> tuple[str, ...]:
    """All words of wishes and degrees that are phrases of their own."""
    return tuple(
        sorted(
            {
                phrase[0]
                for lexicon in lexicons()
                for phrase, roles in lexicon.phrases.items()
                if len(phrase) == 1 and any(role.kind in ("wish", "noun", "degree", "without", "like") for role in roles)
            }
        )
    )


def value_in(item: Item, unit: str) -> float | None:
    """Returns a quantity in the unit of a descriptor; None where it does not fit."""
    value = item.value
    if value is None:
        return None
    if item.unit == "note" and unit == "Hz":
        return float(midi_to_hz(value))
    scale = {("s", "s"): 1.0, ("ms", "s"): 1e-3, ("Hz", "Hz"): 1.0, ("kHz", "Hz"): 1e3, ("dB", "dB"): 1.0}.get((item.unit, unit))
    return None if scale is None or (unit != "dB" and value <= 0) else value * scale
