"""Vibrato and tremolo of a sound, measured: of each note, and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.modulation.courses import Courses, courses
from timbrespace.modulation.fluctuation import SECONDS, Fluctuation, fluctuation
from timbrespace.voices.frames import Values

LEAST_CENTS, LEAST_DB = 3.0, 0.3  # of depth, of a vibrato and of a tremolo


@dataclass(frozen=True)
class Modulation:
    """A vibrato or a tremolo. rate: Hz. depth: how far it goes up and down, in cents or in dB. delay: s from the start of the note until
    it has half its depth. regularity: 0 to 1, how alike one period is to the next. share: of the measured time that has it.
    """

    rate: float
    depth: float
    delay: float
    regularity: float
    share: float = 1.0


@dataclass(frozen=True)
class Note:
    """A stretch of a sound. start, seconds: s. midi: its mean pitch, None without one. vibrato, tremolo: None where there is none."""

    start: float
    seconds: float
    midi: float | None
    vibrato: Modulation | None
    tremolo: Modulation | None


@dataclass(frozen=True)
class Measured:
    """The modulations of a sound. vibrato, tremolo: medians of the notes, by their lengths; None where there is none.

    pitched: s of notes with one pitch, whose vibrato can be known. several: start and end in s of passages with several tones.
    """

    seconds: float
    vibrato: Modulation | None
    tremolo: Modulation | None
    pitched: float
    several: tuple[tuple[float, float], ...]
    notes: tuple[Note, ...]

    def row(self) -> dict[str, Any]:
        """Returns the values as JSON has them, rounded."""
        found: dict[str, Any] = _rounded(asdict(self))
        return found


@dataclass(frozen=True)
class Parts:
    """Fluctuations of the notes of a sound. pitch, level: those that are modulations; all_pitch, all_level: all. courses: its curves."""

    courses: Courses
    pitch: tuple[Fluctuation, ...]
    level: tuple[Fluctuation, ...]
    all_pitch: tuple[Fluctuation, ...]
    all_level: tuple[Fluctuation, ...]


def measure_audio(audio: Values, rate: int) -> Measured:
    """Returns the modulations of a sound `(channels, time)` at `rate` Hz. Raises ConfigError for one without samples."""
    return measured(split(audio, rate), audio.shape[1] / rate)


def split(audio: Values, rate: int) -> Parts:
    """Returns the fluctuations of a sound `(channels, time)` at `rate` Hz. Raises ConfigError for one without samples."""
    if not audio.size:
        raise ConfigError("the sound has no samples")
    found = courses(audio, rate)
    pitch = tuple(fluctuation(found.pitch[first:last], first) for first, last in found.tones)
    level = tuple(fluctuation(found.level[first:last], first) for first, last in found.parts)
    return Parts(found, modulated(pitch, LEAST_CENTS), modulated(level, LEAST_DB), pitch, level)


def modulated(found: Sequence[Fluctuation], least: float) -> tuple[Fluctuation, ...]:
    """Returns those that are modulations; beside clear ones, less clear ones of the same rate count. least: depth."""
    clear = [one for one in found if one.is_regular(least)]
    if not clear:
        return ()
    rate = _median([one.rate for one in clear], [one.seconds for one in clear])
    return tuple(one for one in found if one.is_regular(least) or one.is_regular(least, rate=rate))


def measured(parts: Parts, seconds: float) -> Measured:
    """Returns what the fluctuations of a sound of that length amount to."""
    starts = _starts(parts)

    def one_of(found: Fluctuation | None) -> Modulation | None:
        if found is None:
            return None
        before = (found.first - starts[id(found)]) * SECONDS if found.delay > 0 else 0.0
        return Modulation(found.rate, found.depth, found.delay + before, found.regularity)

    notes = []
    owned: set[int] = set()
    for one in parts.all_pitch:
        inside = [k for k, other in enumerate(parts.all_level) if _overlap(one, other) > 0.5 * min(len(one), len(other))]
        owned |= set(inside)
        level = max((parts.all_level[k] for k in inside), key=len, default=None)
        midi = 69 + float(one.slow.mean()) / 100
        vibrato, tremolo = (one_of(part if part in kept else None) for part, kept in ((one, parts.pitch), (level, parts.level)))
        notes.append(Note(one.first * SECONDS, one.seconds, midi, vibrato, tremolo))
    for k, one in enumerate(parts.all_level):
        if k not in owned:
            notes.append(Note(one.first * SECONDS, one.seconds, None, None, one_of(one if one in parts.level else None)))
    several = tuple((round(first * SECONDS, 3), round(last * SECONDS, 3)) for first, last in parts.courses.several)
    return Measured(
        seconds, _together([one_of(one) for one in parts.pitch], parts.pitch, parts.all_pitch),
        _together([one_of(one) for one in parts.level], parts.level, parts.all_level),
        sum(one.seconds for one in parts.all_pitch), several, tuple(sorted(notes, key=lambda note: note.start)),
    )  # fmt: skip


def _overlap(one: Fluctuation, other: Fluctuation) -> int:
    return min(one.first + len(one), other.first + len(other)) - max(one.first, other.first)


def _starts(parts: Parts) -> dict[int, int]:
    """The frame at which the note of each fluctuation begins to sound, by its identity."""
    found = {}
    quiet = np.flatnonzero(~parts.courses.sounding)
    for several in (parts.all_pitch, parts.all_level):
        before = 0
        for one in several:
            silent = int(quiet[at - 1]) + 1 if (at := np.searchsorted(quiet, one.first)) else 0
            found[id(one)] = min(one.first, max(before, silent))
            before = one.first + len(one)
    return found


def _together(values: Sequence[Modulation | None], found: Sequence[Fluctuation], everything: Sequence[Fluctuation]) -> Modulation | None:
    known = [one for one in values if one is not None]
    if not known:
        return None
    seconds = [one.seconds for one in found]
    rate, depth, delay, regularity = (
        _median([getattr(one, name) for one in known], seconds) for name in ("rate", "depth", "delay", "regularity")
    )
    return Modulation(rate, depth, delay, regularity, sum(seconds) / sum(one.seconds for one in everything))


def _median(values: Sequence[float], weights: Sequence[float]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.asarray(weights)[order])
    return float(np.asarray(values)[order][np.searchsorted(total, 0.5 * total[-1])])


def _rounded(value: Any) -> Any:
    if type(value) is dict:
        return {key: _rounded(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 3) if type(value) is float else value
