"""Learns words from the names of the training sounds: which of them say something about the sound, and what.

A joint linear model of words and latents. The latent of a sound, less the mean of its category, is the sum of the effects of the words
in its name (ridge regression on the bag of words). A word is known only if it predicts sounds that were held out of the fit, see
`fit_name_words`; the others say nothing: take numbers, dates, words that all sounds share.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from timbrespace.corpus.labels.categories import parts_of
from timbrespace.latent.name_words import LONGEST_WORD, MOST_WORDS, NameWords

_FEWEST = 3  # sounds with a word
_FOLDS = 5
_RIDGE = 2.0  # sounds by which an effect is shrunk: with two it is half the mean
_LEAST_SCORE = 2.3  # of a word's held-out gains: mean over standard error, about 1 % of words without meaning reach it
_LEAST_GAIN = 0.02  # share of held-out variance
_SHARED = 0.9  # a word of more than this share of all sounds does not distinguish them
_SAME_CATEGORY = 0.6  # least share of a word's sounds in its category
_LEAST_INNER = 4  # letters of a word that is recognised within others ("closed" in "hhclosed")
# How hard a sound was played: layers of one hit are one sound, where held-out words are counted.
_LAYERS = frozenset(["soft", "softer", "softest", "hard", "harder", "hardest", "med", "medium", "loud", "quiet"])


def words_in(name: str) -> frozenset[str]:
    """Returns the words of a training sound's relative name: lower case, of two letters or more, without numbers."""
    parts = parts_of(name)
    return frozenset(part[:LONGEST_WORD] for part in parts if len(part) > 1 and not part.isdigit())


def fit_name_words(names: Sequence[str], categories: Sequence[str | None], latents: Tensor) -> NameWords:
    """Returns the words of `names` that say something about the sounds. Deterministic, the same for any order of the sounds.

    names: relative, one a sound. categories: one a sound. latents: `(sounds, dims)`.

    Five folds of sounds: the effects of all words, fitted to four of them, predict the fifth. For each word its gain is how much larger
    the error of its own held-out sounds is without it. A word is known if its mean gain is over 2.3 standard errors above 0 (layers of
    one hit count as one sound) and over 2 % of these sounds' variance.
    """
    dims = latents.shape[1]
    bags = _bags(names)
    counts = Counter(word for bag in bags for word in bag)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    vocabulary = sorted(word for word, count in ranked[:MOST_WORDS] if _FEWEST <= count <= _SHARED * len(names))
    if not vocabulary:
        return NameWords.none(dims)
    place = {word: column for column, word in enumerate(vocabulary)}
    order = sorted(range(len(names)), key=lambda i: names[i])
    x = np.zeros((len(names), len(vocabulary)))
    for row, i in enumerate(order):
        x[row, [place[word] for word in bags[i] if word in place]] = 1.0
    y = latents.double().numpy()[order]
    kinds = [categories[i] for i in order]
    units = [_unit(names[i]) for i in order]
    residual, scale = _within(y, kinds)
    gains, scores = _held_out(x, _within(x, kinds, scaled=False)[0], residual / scale, units)
    known = np.flatnonzero((scores >= _LEAST_SCORE) & (gains >= _LEAST_GAIN))
    if not len(known):
        return NameWords.none(dims)
    effects = _effects(_within(x[:, known], kinds, scaled=False)[0], residual)
    words = [vocabulary[column] for column in known]
    return NameWords(
        words=tuple(words),
        counts=tuple(int(counts[word]) for word in words),
        categories=tuple(_category(x[:, column], kinds) for column in known),
        effects=torch.from_numpy(effects).float(),
        gains=torch.from_numpy(gains[known]).float(),
    )


def _bags(names: Sequence[str]) -> list[frozenset[str]]:
    """The words of each name, and frequent words that are glued into others, at their beginning or end."""
    bags = [words_in(name) for name in names]
    counts = Counter(word for bag in bags for word in bag)
    inner = {word for word, count in counts.items() if count >= _FEWEST and len(word) >= _LEAST_INNER}

    def within(word: str) -> set[str]:
        ends = range(_LEAST_INNER, len(word) - 1)
        return {word[:end] for end in ends if word[:end] in inner} | {word[-end:] for end in ends if word[-end:] in inner}

    glued = {word: within(word) for word in counts}
    return [frozenset(bag | {part for word in bag for part in glued[word]}) for bag in bags]


def _unit(name: str) -> str:
    """What counts as one sound where a word is checked: the name without words for how hard it was played."""
    return " ".join(part for part in parts_of(name) if part not in _LAYERS)


def _within(values: np.ndarray, kinds: Sequence[str | None], *, scaled: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Values `(sounds, n)` less the mean of their category, and their deviation `(n,)` over all sounds."""
    centred = values.copy()
    for kind in set(kinds):
        rows = np.array([k == kind for k in kinds])
        centred[rows] -= values[rows].mean(0)
    return centred, np.maximum(centred.std(0), 1e-6) if scaled else np.ones(values.shape[1])


def _effects(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge regression of y `(sounds, dims)` on x `(sounds, words)`: effects `(words, dims)`."""
    return np.asarray(np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y))


def _held_out(bags: np.ndarray, x: np.ndarray, y: np.ndarray, units: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The gain of each word as a share of its sounds' variance, and the gain's score (mean over standard error), `(words,)` each.

    bags: `(sounds, words)`, 1 where the name has the word. x: these within categories. y: latents within categories, scaled.
    """
    distinct = sorted(set(units), key=lambda unit: hashlib.sha256(unit.encode()).digest())
    fold_of = {unit: number % _FOLDS for number, unit in enumerate(distinct)}
    folds = np.array([fold_of[unit] for unit in units])
    gain = np.zeros_like(x)  # of each sound and word
    for fold in range(_FOLDS):
        inside, outside = folds == fold, folds != fold
        if not inside.any() or not outside.any():
            continue
        effects = _effects(x[outside], y[outside])
        error = y[inside] - x[inside] @ effects  # (sounds, dims)
        # |error + x e|² - |error|² for every sound and word
        size = (effects**2).sum(1)
        gain[inside] = 2 * x[inside] * (error @ effects.T) + x[inside] ** 2 * size
    variance = (y**2).sum(1)
    number = {unit: row for row, unit in enumerate(distinct)}
    of_unit = np.zeros((len(distinct), len(units)))
    of_unit[[number[unit] for unit in units], range(len(units))] = 1.0
    has = (of_unit @ bags > 0).astype(float)  # (units, words)
    sums = of_unit @ (gain * bags) / np.maximum(of_unit @ bags, 1.0)  # mean over the layers of a hit
    count = has.sum(0)
    mean = sums.sum(0) / np.maximum(count, 1)
    spread = np.sqrt(((sums - mean) ** 2 * has).sum(0) / np.maximum(count - 1, 1))
    score = np.where(count >= _FEWEST, mean / np.maximum(spread / np.sqrt(np.maximum(count, 1)), 1e-9), -np.inf)
    share = (gain * bags).sum(0) / np.maximum((bags * variance[:, None]).sum(0), 1e-9)
    return share, score


def _category(has: np.ndarray, kinds: Sequence[str | None]) -> str | None:
    """The category of most sounds with a word; None where they are mixed."""
    found = Counter(kind for kind, one in zip(kinds, has, strict=True) if one)
    kind, most = found.most_common(1)[0]
    return kind if most >= _SAME_CATEGORY * has.sum() else None
