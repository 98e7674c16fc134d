"""Vibrato and tremolo of a sound changed: scaled, made faster or slower, added, or taken from another sound.

A vibrato is changed by reading the sound faster and slower, which keeps everything else of it: its noise, its attacks, the phases of its
partials. A tremolo is changed by a gain. Outside of notes that are changed, the samples are those of the sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.modulation.courses import SHORTEST, notes_of
from timbrespace.modulation.fluctuation import SECONDS, Fluctuation, fluctuation
from timbrespace.modulation.measuring import Measured, Parts, measured, split
from timbrespace.modulation.options import Wish
from timbrespace.modulation.pattern import Pattern, pattern_of, sine
from timbrespace.modulation.warp import read_at
from timbrespace.voices.frames import Values

_FADE_SECONDS = 0.03  # at both ends of a note, where its own pitch and level stay
_RATES = {"vibrato": 5.5, "tremolo": 5.0}  # Hz, of added ones
_DELAY_SECONDS, _DELAY_SHARE = 0.3, 0.25  # of an added vibrato, at most this share of the note
_MOST_GAIN_DB = 24.0
_PASSES = 4  # of where to read: the fluctuation there depends on it
_BOTH_OCTAVES = 0.2  # rates of vibrato and tremolo that are the same


@dataclass(frozen=True)
class Donor:
    """What another sound gives: patterns from the start of its best note, None where it has none. name: of the sound."""

    vibrato: Pattern | None
    tremolo: Pattern | None
    name: str = ""


@dataclass(frozen=True)
class Changed:
    """A changed sound. audio: `(channels, time)`. before: what was measured of it. vibrato, tremolo: the number of notes changed."""

    audio: Values
    before: Measured
    vibrato: int
    tremolo: int


def donor_of(parts: Parts, name: str = "the other sound") -> Donor:
    """Returns what a sound can give to another one. Raises ConfigError where it has neither vibrato nor tremolo."""
    note, level = _best(parts.pitch), _best(parts.level)
    vibrato = None if note is None else pattern_of(note)
    tremolo = None
    if note is not None and (same := _best([one for one in parts.level if one.first < note.first + len(note) > one.first >= note.first])):
        # Of the same note, from its start: both keep step.
        early = same.first - note.first
        late = Fluctuation(
            note.first, np.pad(same.slow, (early, 0), mode="edge"), np.pad(same.values, (early, 0)), same.rate, same.depth,
            same.delay + early * SECONDS if same.delay else 0.0, same.regularity,
        )  # fmt: skip
        together = vibrato is not None and abs(np.log2(same.rate / note.rate)) < _BOTH_OCTAVES
        tremolo = pattern_of(late, like=vibrato if together else None)
    elif level is not None:
        tremolo = pattern_of(level)
    if vibrato is None and tremolo is None:
        raise ConfigError(f"{name} has neither vibrato nor tremolo to take; `timbrespace modulate FILE --measure` shows what a sound has")
    return Donor(vibrato, tremolo, name)


def _best(found: tuple[Fluctuation, ...] | list[Fluctuation]) -> Fluctuation | None:
    return max(found, key=lambda one: (one.seconds - one.delay) * one.regularity, default=None)


def change(audio: Values, rate: int, vibrato: Wish, tremolo: Wish, donor: Donor | None = None) -> Changed:
    """Returns a sound `(channels, time)` at `rate` Hz with its modulations changed, as long as before; without a change its own samples.

    donor: patterns in place of the sound's own. Raises ConfigError for a sound without samples.
    """
    parts = split(audio, rate)
    before = measured(parts, audio.shape[1] / rate)
    given = donor or Donor(None, None)
    pitch = _wanted("vibrato", parts.all_pitch, parts.pitch, vibrato, given.vibrato, {})
    early = {id(one): _early(one, parts.all_pitch) for one in parts.all_level}
    level = _wanted("tremolo", parts.all_level, parts.level, tremolo, given.tremolo, early)
    out = audio.astype(np.float32)
    for note, own, wanted in pitch:
        _warp(out, audio, rate, note, own, wanted)
    for note, own, wanted in level:
        gain = np.clip((wanted - own) * edges(len(note)), -_MOST_GAIN_DB, _MOST_GAIN_DB)
        samples = _samples(note, rate, out.shape[1])
        out[:, samples] *= 10 ** (np.interp(_frames(samples, rate) - note.first, np.arange(len(note)), gain) / 20).astype(np.float32)
    return Changed(out, before, len(pitch), len(level))


def straightened(pitch: Values) -> Values:
    """Returns a course of pitch in Hz `(frames,)`, 0 where there is none, without what fluctuates in its notes, regular or not."""
    out = pitch.copy()
    for first, last in notes_of(pitch, pitch > 0):
        if (last - first) * SECONDS >= SHORTEST:
            found = fluctuation(1_200 * np.log2(pitch[first:last]))
            out[first:last] = pitch[first:last] * 2 ** (-found.values * edges(last - first) / 1_200)
    return out


def _early(part: Fluctuation, notes: tuple[Fluctuation, ...]) -> int:
    """Frames from the start of the note that a part belongs to until the part."""
    return min((part.first - note.first for note in notes if note.first <= part.first < note.first + len(note)), default=0)


def _wanted(
    kind: str, notes: tuple[Fluctuation, ...], modulated: tuple[Fluctuation, ...], wish: Wish, given: Pattern | None, early: dict[int, int]
) -> list[tuple[Fluctuation, Values, Values]]:
    """The notes to change, each with its own modulation and the one wanted `(frames,)`. early: frames of a pattern that are left out."""
    found = []
    if wish.keeps and given is None:
        return []
    for note in notes:
        has = note in modulated
        own = note.values if has else np.zeros(len(note))
        skipped = early.get(id(note), 0)
        if given is not None:
            wanted = wish.scaled(given.depth) * given.at(skipped + len(note), speed=wish.faster(given.rate))[skipped:]
        elif has:
            speed = wish.faster(note.rate)
            wanted = wish.scaled(note.depth) * (own if speed == 1 else pattern_of(note).at(len(note), speed=speed))
        elif wish.depth:
            wanted = _added(kind, note, wish, skipped)
        else:
            continue
        found.append((note, own, wanted))
    return found


def _added(kind: str, note: Fluctuation, wish: Wish, skipped: int) -> Values:
    seconds = note.seconds + skipped * SECONDS
    delay = min(_DELAY_SECONDS, _DELAY_SHARE * seconds)
    pattern = sine(wish.rate or _RATES[kind] * (wish.speed or 1.0), wish.depth or 0.0, delay=delay, seconds=seconds)
    return pattern.at(skipped + len(note))[skipped:]


def _warp(out: Values, audio: Values, rate: int, note: Fluctuation, own: Values, wanted: Values) -> None:
    """Writes a note with another vibrato into `out`. own, wanted: cents `(frames,)`.

    Read at places whose speed is the factor of the pitch. Over the note the places keep step with the time, so that it neither moves nor
    changes its mean pitch.
    """
    samples = _samples(note, rate, out.shape[1])
    count = samples.stop - samples.start
    if count < 2:
        return
    time = np.arange(samples.start, samples.stop, dtype=np.float64)
    numbers, fades = np.arange(len(note)), edges(len(note))
    goal = np.interp(_frames(samples, rate) - note.first, numbers, wanted * fades)
    scale = 1 / (rate * SECONDS)
    away = np.zeros(count)
    for _ in range(_PASSES):
        there = np.interp((time + away) * scale - note.first, numbers, own * fades)
        speed = 2 ** ((goal - there) / 1_200)
        speed /= speed.mean()
        away = np.concatenate([[0.0], np.cumsum(speed - 1)[:-1]])
    margin = 64 + int(np.ceil(np.abs(away).max()))
    first = max(0, samples.start - margin)
    source = audio[:, first : samples.stop + margin]
    out[:, samples] = read_at(source, time + away - first)


def _samples(note: Fluctuation, rate: int, total: int) -> slice:
    first, last = (round(frame * SECONDS * rate) for frame in (note.first, note.first + len(note) - 1))
    return slice(min(first, total), min(last, total))


def _frames(samples: slice, rate: int) -> Values:
    """The places of samples in frames."""
    return np.arange(samples.start, samples.stop) / (rate * SECONDS)


def edges(count: int) -> Values:
    """Returns factors that fade in and out at the ends of a note `(count,)`."""
    width = min(round(_FADE_SECONDS / SECONDS), count // 2)
    at = np.minimum(np.arange(count), np.arange(count)[::-1])
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(at / max(width, 1), 0.0, 1.0)))
