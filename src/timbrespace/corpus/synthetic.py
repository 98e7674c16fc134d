"""Corpora that are synthesised instead of read: `synthetic:NAME` stands wherever a folder of sounds does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from timbrespace.contracts import SAMPLE_RATE, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_COUNT = 300

# One round of twenty drums: the kind of sound i is a matter of i alone, whatever the count.
_ROUND = (
    *("kick", "snare", "hat", "tom", "kick", "snare", "hat", "clap", "cymbal", "kick"),
    *("snare", "hat", "rim", "tom", "kick", "snare", "hat", "clap", "cymbal", "cowbell"),
)


@dataclass(frozen=True)
class SyntheticClip:
    """One synthesised sound: name ('kick/kick 003'), category, audio `(1, time)` float32, labels (the drawn parameters)."""

    name: str
    category: str
    audio: Tensor
    labels: dict[str, float | str] = field(default_factory=dict)


def synthetic_drum(index: int, *, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> SyntheticClip:
    """Drum number `index` of the corpus that `seed` names; the same whatever else is drawn. Lasts 0.05…1.8 s, peak -1 dB."""
    import numpy as np
    import torch

    from timbrespace.corpus import drums, drums_metal
    from timbrespace.corpus.drum_parts import Dice, ending

    makers = {
        "kick": drums.kick,
        "snare": drums.snare,
        "tom": drums.tom,
        "clap": drums.clap,
        "rim": drums.rim,
        "cowbell": drums.cowbell,
        "hat": drums_metal.hat,
        "cymbal": drums_metal.cymbal,
    }
    turn, place = divmod(index, len(_ROUND))
    kind = _ROUND[place]
    number = turn * _ROUND.count(kind) + _ROUND[:place].count(kind) + 1
    dice = Dice(np.random.default_rng([seed, index, 0]), np.random.default_rng([seed, index, 1]), sample_rate)
    wave = ending(makers[kind](dice), sample_rate)
    labels = {"kind": kind, **dice.labels, "seconds": round(wave.size / sample_rate, 4)}
    audio = torch.from_numpy(wave.astype(np.float32))[None]
    return SyntheticClip(f"{kind}/{kind} {number:03d}", kind, audio, labels)


SYNTHETIC: dict[str, Callable[..., SyntheticClip]] = {"drums": synthetic_drum}


def synthetic_clips(name: str, *, count: int = DEFAULT_COUNT, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> Iterator[SyntheticClip]:
    """Yields `count` sounds of the synthetic corpus `name` (with or without 'synthetic:'), in an order that mixes the kinds.

    Sound i depends on `seed`, i and `sample_rate` only. Raises ConfigError for an unknown name or numbers out of range.
    """
    key = name.removeprefix("synthetic:")
    if key not in SYNTHETIC:
        known = ", ".join(f"synthetic:{known}" for known in sorted(SYNTHETIC))
        raise ConfigError(f"there is no synthetic corpus named {name!r}; known are: {known}")
    for what, value, low, high in (
        ("count", count, 1, 1_000_000),
        ("seed", seed, 0, 2**63 - 1),
        ("sample_rate", sample_rate, 8000, 192_000),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{what} of a synthetic corpus is {value!r}, allowed is a whole number from {low} to {high}")
    return (SYNTHETIC[key](index, seed=seed, sample_rate=sample_rate) for index in range(count))
