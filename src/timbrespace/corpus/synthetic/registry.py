"""All synthetic corpora by name: `synthetic:NAME` can be given wherever a folder of sounds can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod

from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.corpus.synthetic.base import Recipe, SyntheticClip
from timbrespace.corpus.synthetic.toys_factors import FACTORS, toy_shape

SYNTHETIC_PREFIX = "synthetic:"
# Makers are imported late: `doctor` and `--help` need neither torch nor scipy.


def _drums(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.drum_kit import synthetic_drum

    return (synthetic_drum(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _notes(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.tonal import note

    return (note(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _variety(indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.variety import variety_clip

    return (variety_clip(index, seed=seed, sample_rate=sample_rate) for index in indices)


def _toy(name: str, indices: Sequence[int], *, seed: int, sample_rate: int) -> Iterator[SyntheticClip]:
    from timbrespace.corpus.synthetic.toys import toy_clips

    return toy_clips(name, indices, seed=seed, sample_rate=sample_rate)


SYNTHETIC: dict[str, Recipe] = {
    "drums": Recipe(_drums, 300),
    "notes": Recipe(_notes, 400),
    "variety": Recipe(_variety, 500),
    **{name: Recipe(partial(_toy, name), prod(toy_shape(name)), as_is=True, fixed=True) for name in FACTORS},
}


def recipe_of(name: str) -> Recipe:
    """The recipe of the synthetic corpus `name`, with or without 'synthetic:'. Raises ConfigError for an unknown name."""
    key = name.removeprefix(SYNTHETIC_PREFIX)
    if key in SYNTHETIC:
        return SYNTHETIC[key]
    plain = key.removesuffix("-db")
    if plain != key and plain in FACTORS:
        raise ConfigError(
            f"{name!r} is not a corpus: decibels are a scale of the features, not of the sounds; "
            f"use {SYNTHETIC_PREFIX}{plain} and train with "
            "--set representation.scale=decibels, or represent it with --as spectrum --set scale=decibels"
        )
    known = ", ".join(f"{SYNTHETIC_PREFIX}{known}" for known in sorted(SYNTHETIC))
    raise ConfigError(f"there is no synthetic corpus named {name!r}; known are: {known}")


def synthetic_clips(name: str, *, count: int | None = None, seed: int = 0, sample_rate: int = SAMPLE_RATE) -> Iterator[SyntheticClip]:
    """Yields `count` clips (None: the default of the recipe) of the synthetic corpus `name`, with or without 'synthetic:'.

    Clip i depends on `seed`, i and `sample_rate` (Hz) only. Fewer clips of a corpus of fixed size are a choice without replacement,
    drawn by `seed`, in ascending order. Raises ConfigError for an unknown name or numbers out of range.
    """
    recipe = recipe_of(name)
    count = recipe.count if count is None else count
    for argument, value, low, high in (
        ("count", count, 1, 1_000_000),
        ("seed", seed, 0, 2**63 - 1),
        ("sample_rate", sample_rate, 8000, 192_000),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{argument} of a synthetic corpus is {value!r}, allowed is a whole number from {low} to {high}")
    if recipe.fixed and count > recipe.count:
        raise ConfigError(f"{name!r} has {recipe.count} clips, count is {count}; ask for at most {recipe.count}")
    indices: Sequence[int] = range(count)
    if recipe.fixed and count < recipe.count:
        import numpy as np

        indices = sorted(np.random.default_rng(seed).choice(recipe.count, size=count, replace=False).tolist())
    return recipe.make(indices, seed=seed, sample_rate=sample_rate)
