"""Pads: which sounds of an instrument are played by which MIDI notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from timbrespace.export.drum_kinds import drum_kind

PADS, FIRST = 16, 36  # of an instrument whose categories are no drums: sounds, and the note of the first
_MOST = 128
_HATS = 1  # choke group
_OPEN, _CLOSED = 46, (42, 44)
_OTHERS = range(60, 97)  # notes for categories that General MIDI has no key for
# Notes of General MIDI that replace each other where a kit has no sound for one: a song then loses no hit.
_ALIKE = (
    (36, 35), (38, 40, 37, 39), (42, 44, 46), (49, 57, 55, 52, 51, 59, 53), (45, 47, 48, 43, 50, 41), (60, 61, 63, 62, 64, 65, 66),
    (75, 76, 77, 67, 68, 56), (70, 69, 82, 54),
)  # fmt: skip


class Pad(NamedTuple):
    """note: that plays it. category: of the sound, None: any. number: of the sound within its category. choke: a group whose sounds end
    each other, 0: none."""

    note: int
    category: str | None
    number: int = 0
    choke: int = 0

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.category or 'sound'} {self.number + 1}"


def pads_of(categories: Sequence[str]) -> list[Pad]:
    """Returns the pads of an instrument without pitches: General MIDI's keys of the drums that it has, else PADS sounds.

    The first sound of every category comes first, by note. A kind of drum with several keys has a sound for each.
    Categories without a key of their own follow from note 60 on.
    """
    taken: dict[int, Pad] = {}
    rest = []
    for category in categories:
        kind, keys = drum_kind(category, "")
        free = [key for key in keys if key not in taken]
        if not free:
            rest.append(category)
            continue
        for number, key in enumerate(free):
            taken[key] = Pad(key, category, number, _HATS if kind is not None and kind.endswith("hat") else 0)
    if not taken:
        names = sorted(categories)
        counts = dict.fromkeys(names, 0)
        for index in range(PADS):
            name = names[index % len(names)] if names else None
            taken[FIRST + index] = Pad(FIRST + index, name, counts.get(name or "", index))
            if name:
                counts[name] += 1
        return list(taken.values())
    notes = [note for note in _OTHERS if note not in taken]
    for category, note in zip(rest, notes, strict=False):
        taken[note] = Pad(note, category)
    return sorted(taken.values(), key=lambda pad: (pad.number > 0, pad.note))[:_MOST]


def pad_at(pads: Sequence[Pad], note: int) -> int | None:
    """Returns the number of the pad that a note plays, in `pads`: its own, or one of the same family of drums. None: no pad."""
    return note_at([pad.note for pad in pads], note)


def note_at(pads: Sequence[int], note: int) -> int | None:
    """Returns the number of the pad that a note plays, see `pad_at`, by the notes of pads."""
    notes = {one: number for number, one in enumerate(pads)}
    if note in notes:
        return notes[note]
    for family in _ALIKE:
        if note in family:
            return next((notes[other] for other in family if other in notes), None)
    return None


def hats_by_length(pads: Sequence[Pad], lengths: dict[int, int]) -> dict[int, int]:
    """Returns pad -> pad whose sound it plays instead, so that the longest hat of a category is the open one.

    lengths: samples of the sounds of hats by number of pad.
    """
    hats = [number for number, pad in enumerate(pads) if pad.choke == _HATS and number in lengths]
    opened = [number for number in hats if pads[number].note == _OPEN]
    if len(hats) < 2 or not opened or len({pads[number].category for number in hats}) > 1:
        return {}
    longest = max(hats, key=lambda number: lengths[number])
    return {} if longest == opened[0] else {opened[0]: longest, longest: opened[0]}
