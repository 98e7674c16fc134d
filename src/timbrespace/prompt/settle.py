"""Settles the wishes of a prompt against each other: repeated ones become one, contradictory ones are dropped and named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from timbrespace.prompt.reading import DEGREES, Conflict, Wish

_SAME_TARGET = 1.01  # largest ratio of two values that count as one


def settle(wishes: Sequence[Wish], *, compared: bool) -> tuple[tuple[Wish, ...], tuple[Conflict, ...], tuple[str, ...]]:
    """Returns the wishes that can be followed, the contradictions, and notes. compared: whether there is a sound to compare with.

    A plain wish ("bright") is measured against the category and a comparing one ("brighter") against the compared sound: the two do
    not contradict each other. A value wins over a direction.
    """
    adjusted = [wish if compared else _without_sound(wish) for wish in wishes]
    groups: dict[tuple[str, str], list[Wish]] = {}
    for wish in adjusted:
        if wish is not None:
            groups.setdefault((wish.descriptor, wish.against), []).append(wish)
    found: list[Wish] = []
    conflicts: list[Conflict] = []
    notes: list[str] = []
    for (name, _), group in groups.items():
        targets = [wish for wish in group if wish.target is not None]
        others = [wish for wish in group if wish.target is None]
        if targets:
            values = [wish.target for wish in targets if wish.target is not None]
            if min(values) <= 0 < max(values) or (min(values) > 0 and max(values) / min(values) > _SAME_TARGET):
                conflicts.append(Conflict(name, tuple(wish.words for wish in targets)))
                continue
            found.append(targets[0])
            notes += [f"{wish.words!r} is not used: {targets[0].words!r} says the {name}" for wish in others]
        elif all(wish.hedged for wish in others) and len({wish.sign for wish in others}) > 1:
            notes.append(f"{' and '.join(wish.words for wish in others)}: the usual {name}")
        elif len({wish.sign for wish in others if not wish.hedged}) == 1 and len({wish.sign for wish in others}) > 1:
            plain = _strongest([wish for wish in others if not wish.hedged])  # "bright but not too bright"
            words = ", ".join(dict.fromkeys(wish.words for wish in others))
            found.append(plain if plain.amount is None else replace(plain, words=words, amount=math.copysign(DEGREES["bit"], plain.amount)))
        elif len({wish.sign for wish in others}) > 1:
            conflicts.append(Conflict(name, tuple(wish.words for wish in others)))
        else:
            found.append(_strongest(others))
    valued = {wish.descriptor: wish for wish in found if wish.target is not None}
    kept = [wish for wish in found if wish.target is not None or wish.descriptor not in valued]
    notes += [f"{one.words!r} is not used: {valued[one.descriptor].words!r} says the {one.descriptor}" for one in found if one not in kept]
    return tuple(kept), tuple(conflicts), tuple(notes)


def _without_sound(wish: Wish) -> Wish | None:
    """The wish where no sound is compared: against the category. None if it only says "as bright as"."""
    if wish.equal:
        return None if wish.amount is None else replace(wish, equal=False, against="category")
    return replace(wish, against="category")


def _strongest(wishes: Sequence[Wish]) -> Wish:
    """One wish for several in the same direction: a factor wins, else the largest amount; with the words of all."""
    words = ", ".join(dict.fromkeys(wish.words for wish in wishes))
    factors = [wish for wish in wishes if wish.factor is not None]
    best = factors[0] if factors else max(wishes, key=lambda wish: abs(wish.amount or 0.0))
    if best.amount is not None and best.equal:
        best = replace(best, equal=False)
    return replace(best, words=words)
