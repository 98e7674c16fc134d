"""Checks of what events carry: numbers in their ranges, with the error that says what is allowed."""

from __future__ import annotations

import math
import operator
from typing import Any

from timbrespace.contracts import ConfigError

AT_ONCE = 0  # a time of the mixer: with the next block
CHANNELS = 16
_OCTAVE = 12


def shown(value: Any) -> str:
    """Returns a value for an error: numbers of single precision without the digits that they do not have."""
    return f"{value:.7g}" if isinstance(value, float) else f"{value!r:.60}"


def number(name: str, value: Any, low: float, high: float) -> float:
    """Returns a number from low to high. Raises ConfigError for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, str | bytes) or not low <= found <= high:
        text = shown(value)
        if isinstance(value, float) and low <= float(text) <= high:  # just outside
            text = repr(value)
        raise ConfigError(f"{name} is {text}, allowed is a number from {low:g} to {high:g}")
    return found


def integer(name: str, value: Any, low: int, high: int) -> int:
    """Returns a whole number from low to high, of Python or NumPy. Raises ConfigError for anything else."""
    try:
        found = low - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = low - 1
    if not low <= found <= high:
        raise ConfigError(f"{name} is {value!r:.60}, allowed is a whole number from {low} to {high}")
    return found


def channel(value: Any) -> int:
    """Returns a MIDI channel, from 0. Raises ConfigError."""
    return integer("channel", value, 0, CHANNELS - 1)


def identity(value: int | None) -> int | None:
    """Returns the id of a note, None where it has none. Raises ConfigError."""
    return None if value is None else integer("id", value, -(2**62), 2**62)


def time_of(at: int | None) -> int:
    """Returns when an event is to take effect, in samples; AT_ONCE: with the next block. Raises ConfigError."""
    return AT_ONCE if at is None else integer("at", at, 0, 2**62)


def is_open(there: bool) -> None:
    """Raises ConfigError for an engine that was closed."""
    if not there:
        raise ConfigError("the engine is closed, and plays no more; make another one")


def folded(note: float, lowest: float, highest: float) -> float:
    """Returns a note within a range, moved by octaves where it is outside, so that its name stays. Narrower ranges give the nearest end."""
    while note < lowest and note + _OCTAVE <= highest:
        note += _OCTAVE
    while note > highest and note - _OCTAVE >= lowest:
        note -= _OCTAVE
    return min(max(note, lowest), highest)


def id_of(name: tuple[int, Any]) -> Any:
    """Returns the id in the name of a key, None where it was struck without one."""
    return name[1][1] if isinstance(name[1], tuple) and name[1][0] == "id" else None
