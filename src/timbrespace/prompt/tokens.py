"""Splits a prompt into words, numbers and separators."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

MOST_CHARACTERS = 1_000  # of a prompt
_NOTE = re.compile(r"([A-Ga-g])(#|♯|b|♭)?(-?\d)(?![^\W_])")
_TOKEN = re.compile(
    r"(?P<number>(?:(?<![^\s(])[+−–-])?\d+(?:[.,]\d+)?)|(?P<word>[^\W\d_][^\W_]*[#♯]?(?:(?<=[#♯])-?\d)?)|(?P<percent>%)|(?P<stop>[,;:.!?()\n/\\]|(?<=\s)[–—-](?=\s))"
)
_RANGE = re.compile(
    r"(?<![\w.,])(?:(?:between|zwischen|entre)\s+)?(?P<low>\d{1,9}(?:[.,]\d{1,9})?)\s*(?P<own>ms|s|khz|hz)?"
    r"\s*(?:to|-|–|bis|and|und|a|y|à|et)\s*(?P<high>\d{1,9}(?:[.,]\d{1,9})?)\s*(?P<unit>ms|s|khz|hz)(?!\w)",
    re.IGNORECASE,
)
_UNITS = frozenset(["s", "sec", "secs", "ms", "msec", "hz", "khz", "db", "k", "x"])


class Token(NamedTuple):
    """A part of a prompt. kind: "word", "number" or "stop" (a separator). text: as written. norm: lower case, without accents."""

    kind: str
    text: str
    norm: str
    start: int
    end: int

    @property
    def value(self) -> float:
        """The number that is written, with a point or a comma."""
        return float(self.norm.replace(",", "."))


@lru_cache(maxsize=65_536)
def normal(text: str) -> str:
    """Returns a text in lower case, without accents, with ss for ß; typographic signs in their plain form."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("œ", "oe").replace("æ", "ae").casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("−", "-").replace("–", "-").replace("’", "'")


def tokens_of(text: str) -> list[Token]:
    """Returns the words, numbers and separators of a text in order. A number with letters is a word ("8bit"), but for units ("2kHz")."""
    found: list[Token] = []
    place = 0
    while match := _TOKEN.search(text, place):
        kind, part, place = str(match.lastgroup), match.group(), match.end()
        if kind == "number":
            letters = re.compile(r"[^\W\d_]+[^\W_]*").match(text, place)
            if letters and normal(letters.group()) not in _UNITS:
                kind, part, place = "word", part + letters.group(), letters.end()
        found.append(Token("word" if kind == "percent" else kind, part, normal(part), match.start(), place))
    return found


def without_ranges(text: str) -> tuple[str, list[str]]:
    """Returns a text with the middle of every range of values in its place ("0.1 to 0.4 s": "0.2 s"), and notes; 1/2 as "half"."""
    notes: list[str] = []

    def middle(match: re.Match[str]) -> str:
        low, high = (float(match[name].replace(",", ".")) for name in ("low", "high"))
        own, unit = normal(match["own"] or match["unit"]), normal(match["unit"])
        if low <= 0 or high <= 0 or own != unit:
            return match.group()
        value = f"{math.sqrt(low * high):.4g} {match['unit']}"
        notes.append(f"{match.group().strip()!r} was read as its middle, {value}")
        return value

    text = _RANGE.sub(middle, text)
    return re.sub(r"(?<![\w/.,])1/2(?![\w/.,])", "half", text), notes


@lru_cache(maxsize=65_536)
def words_of(text: str) -> tuple[str, ...]:
    """Returns the words and numbers of a text in normal form, without separators: how phrases and file names are compared."""
    return tuple(token.norm for token in tokens_of(text) if token.kind != "stop")


def midi_of(text: str) -> int | None:
    """Returns the MIDI number of a note name such as C4, Bb2 or F#3 (C4 is 60); None for other texts."""
    match = _NOTE.fullmatch(unicodedata.normalize("NFC", text))
    if not match:
        return None
    step = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[match[1].lower()]
    number = 12 * (int(match[3]) + 1) + step + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(match[2], 0)
    return number if 0 <= number <= 127 else None
