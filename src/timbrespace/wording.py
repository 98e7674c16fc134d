"""Numbers and nouns that agree: "1 file is", "2 files are"."""

from __future__ import annotations

import re

_SINGULAR = {"are": "is", "have": "has", "contain": "contains", "cancel": "cancels", "start": "starts", "peak": "peaks", "hold": "holds"}
_PRONOUNS = {"they are": "it is", "they": "it", "them": "it", "their": "its"}


def counted(count: int, noun: str) -> str:
    """Returns "1 sound" or "2,000 sounds". noun: one whose plural ends in s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def predicate(count: int, text: str) -> str:
    """Returns what `count` files do, "are clipped", as it is; of one file "is clipped". text: begins with its verb."""
    if count != 1:
        return text
    verb, space, rest = text.partition(" ")
    return pronouns(count, f"{_SINGULAR.get(verb, verb)}{space}{rest.replace('but are ', 'but is ')}")


def pronouns(count: int, text: str) -> str:
    """Returns a text about `count` files as it is; about one file with it and its for they, them and their."""
    if count != 1:
        return text
    return re.sub(r"\b(they are|they|them|their)\b", lambda match: _PRONOUNS[match[1]], text)
