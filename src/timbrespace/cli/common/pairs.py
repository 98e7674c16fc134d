"""Values given as NAME=VALUE, and notes given as names or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence


def read_pairs(pairs: Sequence[str] | None, option: str, *, example: str, advice: str, comma: str) -> dict[str, str]:
    """Returns NAME=VALUE as name -> value. Raises ConfigError.

    option: that the pairs are given to. example, advice: what the message says of it. comma: pattern of a value with a decimal comma.
    """
    from timbrespace.contracts import ConfigError

    values: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name or not value:
            raise ConfigError(f"{option} {pair!r} is not NAME=VALUE; for instance {example}; {advice}")
        if re.search(comma, value):
            raise ConfigError(f"{option} {pair!r} has a decimal comma; write {name}={value.replace(',', '.')} with a point")
        if name in values:
            raise ConfigError(f"{option} {name} is given twice; give it once")
        values[name] = value
    return values


def read_note(text: str) -> float:
    """Returns the MIDI number of a note that is given as a number or a name: 60, 60.5, C4, F#3. Raises typer.BadParameter."""
    import typer

    from timbrespace.corpus.labels.names import midi_note

    try:
        return float(text)
    except ValueError:
        note = midi_note(text)
    if note is None:
        raise typer.BadParameter(f"{text[:40]!r} is no note; allowed are MIDI numbers such as 60 or 60.5, and names such as C4, F#3 or Bb2")
    return note
