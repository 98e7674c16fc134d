"""From wishes to values: where each asked descriptor shall be, and how far a sound is from that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, NAMES
from timbrespace.prompt.choice.reference import Reference
from timbrespace.prompt.reading import DEGREES, Wish

_BEYOND = 0.25  # weight of the part by which a direction is exceeded
_MARGIN = 0.35  # spreads: a sound on the wrong side of this counts double
_UNDEFINED = 3.0  # spreads: what a sound without the descriptor counts as
_EXACT_OCTAVES, _EXACT_DB = 0.25, 2.0  # by which a value is missed counts as one spread, however much sounds of the category differ


class Target(NamedTuple):
    """Where one descriptor shall be.

    place: on its scale. spread: of the category; of a value, how exactly it is meant. sign: 0 for a value, which is met from both sides;
    else the direction from `base`, beyond which a sound may go. words: of the wish.
    """

    name: str
    place: float
    spread: float
    sign: int
    base: float
    words: str


def targets_of(wishes: Sequence[Wish], reference: Reference, sound: Tensor | None) -> tuple[list[Target], list[str]]:
    """Returns the targets of wishes, and why a wish has none. sound: descriptors of the compared sound `(len(NAMES),)`."""
    found: list[Target] = []
    missing: list[str] = []
    for wish in wishes:
        place = NAMES.index(wish.descriptor)
        one, median, spread = DESCRIPTORS[wish.descriptor], float(reference.medians[place]), float(reference.spreads[place])
        exact = _EXACT_OCTAVES if one.logarithmic else _EXACT_DB
        if wish.target is not None:
            asked = one.to_scale(wish.target)
            found.append(Target(wish.descriptor, asked, exact, 0, asked, wish.words))
            continue
        base = float(sound[place]) if wish.against == "sound" and sound is not None else median
        if not (math.isfinite(base) and math.isfinite(spread)):
            what = "the compared sound has" if wish.against == "sound" else "most of these sounds have"
            missing.append(f"{wish.words}: {what} no clear {wish.descriptor}")
            continue
        if wish.equal:
            found.append(Target(wish.descriptor, base, min(spread, 2 * exact), 0, base, wish.words))
        elif wish.factor is not None and one.logarithmic:
            asked = base + math.log2(wish.factor)
            found.append(Target(wish.descriptor, asked, exact, 0, base, wish.words))
        else:
            amount = wish.amount if wish.amount is not None else math.copysign(DEGREES["very"], wish.sign)
            asked = min(max(base + amount * spread, one.to_scale(one.low)), one.to_scale(one.high))
            found.append(Target(wish.descriptor, asked, spread, wish.sign, base, wish.words))
    return found, missing


def cost(measured: Tensor, targets: Sequence[Target]) -> Tensor:
    """Returns how far sounds are from the targets, `(sounds,)` in spreads, summed. measured: `(sounds, len(NAMES))`."""
    total = torch.zeros(len(measured))
    for target in targets:
        values = measured[:, NAMES.index(target.name)]
        off = (values - target.place) / target.spread
        if target.sign:
            ahead = target.sign * off
            part = torch.where(ahead > 0, _BEYOND * ahead, -ahead)
            margin = min(_MARGIN, 0.5 * abs(target.place - target.base) / target.spread)
            wrong = margin - target.sign * (values - target.base) / target.spread  # over 0: not clearly in the asked direction
            part = part + wrong.clamp_min(0) * 2
        else:
            part = off.abs()
        total = total + torch.where(values.isnan(), torch.tensor(_UNDEFINED), part)
    return total
