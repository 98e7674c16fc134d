"""Corpora that are synthesised instead of read: `synthetic:NAME` stands wherever a folder of sounds does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Protocol

from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.corpus.synthetic.toys_factors import FACTORS, toy_shape

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.corpus.synthetic.drum_parts import ParameterSampler, Wave

DEFAULT_COUNT = 300  # drums
NOTES_COUNT = 400
VARIETY_COUNT = 500
PREFIX = "synthetic:"

# One round of twenty drums: the kind of sound i is a matter of i alone, whatever the count.
_ROUND = (
    *("kick", "snare", "hat", "tom", "kick", "snare", "hat", "clap", "cymbal", "kick"),
    *("snare", "hat", "rim", "tom", "kick", "snare", "hat", "clap", "cymbal", "cowbell"),
)


@dataclass(frozen=True)
class SyntheticClip:
    """One synthesised sound: name ('kick/kick 003'), category, audio `(1, time)` float32, labels (drawn parameters, or factor indices).

    pitch: MIDI number (60 = C4), velocity: 1…127, instrument: a name; None where the sound has none.
    """

    name: str
    category: str | None
    audio: Tensor
    labels: dict[str, float | int | str] = field(default_factory=dict)
    pitch: float | None = None
    velocity: int | None = None
    instrument: str | None = None


class Maker(Protocol):
    """Makes the clips with the given indices, in that order; clip i is a matter of seed, i and the rate alone."""

    def __call__(self, indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
        """Yields the clips."""


@dataclass(frozen=True)
class Recipe:
    """How a synthetic corpus is made.

    count: clips unless asked otherwise. as_is: every clip is kept exactly as it is: not trimmed, not normalised, silent ones
    and near-duplicates too. fixed: `count` is the whole corpus, a smaller one is a choice from it.
    """

    make: Maker
    count: int
    as_is: bool = False
    fixed: bool = False


def synthetic_drum(index: int, *, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> SyntheticClip:
    """Drum number `index` of the corpus that `seed` names; the same whatever else is drawn. Lasts 0.05…1.8 s, peak -1 dB."""
    import numpy as np
    import torch

    from timbrespace.corpus.synthetic.drum_parts import ParameterSampler, ending

    turn, place = divmod(index, len(_ROUND))
    kind = _ROUND[place]
    number = turn * _ROUND.count(kind) + _ROUND[:place].count(kind) + 1
    sampler = ParameterSampler(np.random.default_rng([seed, index, 0]), np.random.default_rng([seed, index, 1]), sample_rate)
    wave = ending(drum_wave(place, sampler)[1], sample_rate)
    labels: dict[str, float | int | str] = {"kind": kind, **sampler.labels, "seconds": round(wave.size / sample_rate, 4)}
    audio = torch.from_numpy(wave.astype(np.float32))[None]
    return SyntheticClip(f"{kind}/{kind} {number:03d}", kind, audio, labels)


def drum_wave(place: int, sampler: ParameterSampler) -> tuple[str, Wave]:
    """The kind of drum at `place` of a round of twenty, and one drawn by `sampler`, `(time,)`, not yet trimmed or levelled."""
    from timbrespace.corpus.synthetic import drums, drums_metal

    makers: dict[str, Callable[[ParameterSampler], Wave]] = {
        "kick": drums.kick,
        "snare": drums.snare,
        "tom": drums.tom,
        "clap": drums.clap,
        "rim": drums.rim,
        "cowbell": drums.cowbell,
        "hat": drums_metal.hat,
        "cymbal": drums_metal.cymbal,
    }
    kind = _ROUND[place]
    return kind, makers[kind](sampler)


def synthetic_note(index: int, *, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> SyntheticClip:
    """Note number `index` of the corpus that `seed` names: plucked, bowed, blown and bell in turn. Lasts 0.3…2 s, peak -1 dB."""
    from timbrespace.corpus.synthetic.tonal import note

    return note(index, seed=seed, sample_rate=sample_rate)


def _drums(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    return (synthetic_drum(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _notes(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    return (synthetic_note(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _variety(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.variety import various

    return (various(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _toy(name: str, indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.toys import toy_clips

    return toy_clips(name, indices, seed=seed, sample_rate=sample_rate)


SYNTHETIC: dict[str, Recipe] = {
    "drums": Recipe(_drums, DEFAULT_COUNT),
    "notes": Recipe(_notes, NOTES_COUNT),
    "variety": Recipe(_variety, VARIETY_COUNT),
    **{name: Recipe(partial(_toy, name), prod(toy_shape(name)), as_is=True, fixed=True) for name in FACTORS},
}


def recipe_of(name: str) -> Recipe:
    """The recipe of the synthetic corpus `name`, with or without 'synthetic:'. Raises ConfigError for an unknown name."""
    key = name.removeprefix(PREFIX)
    if key in SYNTHETIC:
        return SYNTHETIC[key]
    plain = key.removesuffix("-db")
    if plain != key and plain in FACTORS:
        raise ConfigError(
            f"{name!r} is no corpus of its own, decibels are a way to look at one: use {PREFIX}{plain} and train with "
            "--set representation.scale=decibels, or represent it with --as spectrum --set scale=decibels"
        )
    known = ", ".join(f"{PREFIX}{known}" for known in sorted(SYNTHETIC))
    raise ConfigError(f"there is no synthetic corpus named {name!r}; known are: {known}")


def synthetic_clips(name: str, *, count: int | None = None, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> Iterator[SyntheticClip]:
    """Yields `count` sounds (None: the recipe's own number) of the synthetic corpus `name`, with or without 'synthetic:'.

    Sound i depends on `seed`, i and `sample_rate` only. From a corpus of fixed size fewer sounds are a choice without
    replacement that `seed` draws, in ascending order. Raises ConfigError for an unknown name or numbers out of range.
    """
    recipe = recipe_of(name)
    count = recipe.count if count is None else count
    for what, value, low, high in (
        ("count", count, 1, 1_000_000),
        ("seed", seed, 0, 2**63 - 1),
        ("sample_rate", sample_rate, 8000, 192_000),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{what} of a synthetic corpus is {value!r}, allowed is a whole number from {low} to {high}")
    if recipe.fixed and count > recipe.count:
        raise ConfigError(f"{name!r} has {recipe.count} clips and no more, count is {count}; ask for at most {recipe.count}")
    indices: Sequence[int] = range(count)
    if recipe.fixed and count < recipe.count:
        import numpy as np

        indices = sorted(np.random.default_rng(seed).choice(recipe.count, size=count, replace=False).tolist())
    return recipe.make(indices, seed=seed, sample_rate=sample_rate)
