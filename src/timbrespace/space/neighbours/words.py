"""Descriptors in words: how one sound differs from another, and why it is unusual."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, NAMES

_CLEAR, _MUCH = 0.5, 1.5  # spreads of the corpus
_MOST = 3  # words
_TAIL = 0.025  # of the corpus, on either side of the usual values
_FEWEST = 8  # sounds to which a share is given


def comparative(name: str, *, more: bool) -> str:
    """Returns the word for more or less of a descriptor: "brighter", "more metallic"."""
    word = DESCRIPTORS[name].more if more else DESCRIPTORS[name].less
    return word if word.endswith("er") else f"more {word}"


def spreads(descriptors: Tensor) -> Tensor:
    """Returns the standard deviation `(descriptors,)` of each column of `(n, descriptors)`, NaN ignored; NaN where nothing varies."""
    out = torch.full((descriptors.shape[1],), torch.nan)
    for column in range(descriptors.shape[1]):
        values = descriptors[:, column][descriptors[:, column].isfinite()]
        if len(values) > 1 and float(values.std(correction=0)) > 1e-6:
            out[column] = values.std(correction=0)
    return out


def differences(found: Tensor, reference: Tensor, spread: Tensor) -> list[str]:
    """Returns at most three words for what `found (descriptors,)` is against `reference`, the clearest first: "much darker", "longer".

    spread `(descriptors,)`: unit of each, see `spreads`. A difference counts from half of it, "much" is from one and a half.
    """
    steps = ((found - reference) / spread).tolist()
    clear = sorted((k for k, step in enumerate(steps) if math.isfinite(step) and abs(step) >= _CLEAR), key=lambda k: -abs(steps[k]))
    return [("much " if abs(steps[k]) >= _MUCH else "") + comparative(NAMES[k], more=steps[k] > 0) for k in clear[:_MOST]]


def unusual(values: Tensor, others: Tensor, *, of: str = "the corpus", tail: float = _TAIL) -> list[str]:
    """Returns why a sound is unusual, the strongest reason first: "brighter than 99 % of the corpus", "longer than all of the corpus".

    values `(descriptors,)`. others `(n, descriptors)`: of the sounds that it is compared with, without itself. A descriptor is unusual if
    it is beyond all of these but the share `tail`; no words with fewer than eight of them.
    """
    rated: list[tuple[float, str]] = []
    for k, name in enumerate(NAMES):
        known = others[:, k][others[:, k].isfinite()]
        value = float(values[k])
        if len(known) < _FEWEST or not math.isfinite(value):
            continue
        below, above = float((known < value).double().mean()), float((known > value).double().mean())
        share = max(below, above)
        middle, deviation = float(known.median()), float(known.std(correction=0))
        if share >= 1 - tail and deviation > 1e-6:
            how_many = f"all of {of}" if share == 1 else f"{math.floor(100 * share)} % of {of}"
            rated.append((-abs(value - middle) / deviation, f"{comparative(name, more=below > above)} than {how_many}"))
    return [text for _, text in sorted(rated)]


def common(members: Tensor, everything: Tensor) -> list[str]:
    """Returns at most three words for what the sounds of a group have in common against all: "brighter", "much shorter".

    members `(m, descriptors)`, everything `(n, descriptors)`. A descriptor counts if its middle differs by half a spread or more, and three
    quarters of the members are on the same side of the middle of all.
    """
    spread = spreads(everything)
    middle = nan_median(everything)
    own = nan_median(members)
    sides = ((members - middle).sign() == (own - middle).sign()) | members.isnan()
    agree = sides.double().mean(0) >= 0.75
    return differences(torch.where(agree, own, middle), middle, spread)


def nan_median(values: Tensor) -> Tensor:
    """Returns the median of each column of `(n, columns)`, NaN ignored: `(columns,)`; NaN for a column without values."""
    return values.nanquantile(0.5, dim=0) if len(values) else torch.full((values.shape[1],), torch.nan)


def joined(words: Sequence[str]) -> str:
    """Returns words as text: "darker, longer"."""
    return ", ".join(words)
