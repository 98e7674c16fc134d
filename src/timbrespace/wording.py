"""Numbers and nouns that agree: "1 file is", "2 files are"."""

from __future__ import annotations

import re
from pathlib import Path

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


def similar_names(path: Path) -> str:
    """Returns a hint on a file that does not exist: " (there are snare 003.wav and kick 003.wav)", no such folder, or ""."""
    from difflib import get_close_matches

    try:
        names = [one.name for one in path.parent.iterdir() if one.suffix.lower() == path.suffix.lower() and one.is_file()]
    except OSError:
        return "" if path.parent.exists() else f" (there is no folder {path.parent})"
    near = get_close_matches(path.name, names, n=3, cutoff=0.6)
    *most, last = near or [""]
    return f" (there {'are' if most else 'is'} {', '.join(most)}{' and ' if most else ''}{last})" if near else ""
