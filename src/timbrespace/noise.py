"""Noise: everything that is random when sounds are made, drawn from one counter-based generator, so that every engine can draw the same.

The generator is Philox 4x64-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), the one of
`numpy.random.Philox`. It maps a key of two 64-bit words and a counter of four to a block of four 64-bit words. Here:

    key       (seed, purpose)
    counter   (block, path[0], path[1], path[2])     blocks 1, 2, 3 …; a path has up to three numbers, and 0 in place of missing ones

The words of the blocks, in order, are the stream. Numbers are made from words in closed form, in double precision:

    uniform   (word >> 11) / 2**53                                                       0 to under 1
    open      ((word >> 11) + 1/2) / 2**53                                               over 0 to under 1
    normal    pairs of open numbers (a, b), r = sqrt(-2 ln a): r cos(2π b), r sin(2π b)     Box and Muller 1958
    gumbel    -ln(-ln(open))
    choice    the first entry whose cumulative weight is over uniform * sum of weights

An odd count of normal numbers leaves the last half of a pair unused. Corpora, training and evaluation draw their own random numbers.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_LARGEST = 2**64
_STEP = 2.0**-53  # between the numbers that are drawn


class Purpose(IntEnum):
    """The second word of the key. Streams of different purposes share no numbers. The values never change: seeds depend on them."""

    SEED = 1  # seeds of the sounds of a batch; path (index,)
    LATENT = 2  # latents of new sounds; path (index, attempt)
    VARIATION = 3  # latents of variations; path (index,)
    PHASE = 4  # initial phases, frame by frame
    GRAIN = 5  # white noise of the noise texture, channel by channel
    NOTE = 8  # of notes; path (0,) initial phases of partials, (1,) flutter, (2,) wander, (3,) the noise part, channel by channel
    DETAIL = 6  # of the detail of new sounds; path (part,)
    CONTROLS = 9  # of the fit of controls; path (index,) points, (0, 1) steps
    VOICE = 10  # of voices; path (0,) initial phases of partials, (1, block) white noise
    WALK = 16  # noise walks through the latent space; path (octave,) of fractal noise, else ()
    AROUND = 17  # moves around a sound with growing noise; path (index,)
    POSTERIOR = 18  # draws from the posterior of a given sound; path (index,)
    SEQUENCE = 32  # of patterns; path (lane, repetition, step) chance, (lane, number, 64 + parameter) values that a walk connects
    LIVE = 48  # of endless playing; path (0, dimension, number) values, (1, lane, number) rhythms, (2, number) and (3, number) of a chain


class Noise:
    """One stream of random numbers; each call continues it.

    seed: 0 to 2**64 - 1. path: up to three whole numbers that separate streams of one seed and purpose. Raises ValueError.
    """

    def __init__(self, seed: int, purpose: Purpose, *path: int):
        words = (int(seed), int(purpose), *map(int, path))
        if len(path) > 3 or not all(0 <= word < _LARGEST for word in words):
            raise ValueError(f"seed {seed} and path {path} must be whole numbers from 0 to 2**64 - 1, with at most three in the path")
        key, counter = np.array(words[:2], np.uint64), np.array([0, *words[2:], *[0] * (3 - len(path))], np.uint64)
        self._philox = np.random.Philox(counter=counter, key=key)  # counts up before every block: the first has number 1
        self._generator = np.random.Generator(self._philox)

    def words(self, count: int) -> NDArray[np.uint64]:
        """Returns the next `count` words of the stream."""
        return np.asarray(self._philox.random_raw(count), np.uint64)

    def uniform(self, *shape: int) -> Values:
        """Returns numbers from 0 to under 1, evenly distributed, last axis first."""
        return self._generator.random(shape)  # NumPy's rule is the one above

    def normal(self, *shape: int) -> Values:
        """Returns numbers of the standard normal distribution, last axis first."""
        count = math.prod(shape)
        pairs = self.uniform(-(-count // 2), 2)
        pairs += _STEP / 2
        radius = np.sqrt(-2.0 * np.log(pairs[:, 0]))
        angle = (2.0 * math.pi) * pairs[:, 1]
        pairs[:, 0], pairs[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
        return pairs.reshape(-1)[:count].reshape(shape)

    def gumbel(self, *shape: int) -> Values:
        """Returns numbers of the standard Gumbel distribution; the largest of them plus log weights is a choice by these weights."""
        return -np.log(-np.log(self.uniform(*shape) + _STEP / 2))

    def choice(self, weights: Values) -> int:
        """Returns an index, drawn with the probabilities `weights / sum(weights)`; at least one weight must be over 0."""
        cumulative = np.cumsum(weights)
        return min(int(np.searchsorted(cumulative, self.uniform(1)[0] * cumulative[-1], side="right")), len(cumulative) - 1)


def seed_of(seed: int, index: int) -> int:
    """Returns the seed of sound `index` of a batch: the first word of its stream of `Purpose.SEED`, halved, so below 2**63."""
    return int(Noise(seed, Purpose.SEED, index).words(1)[0] >> np.uint64(1))


def initial_phases(seed: int, *, frames: int, bins: int) -> Values:
    """Returns phases in rad from 0 to under 2π, `(frames, bins)`: those of a stream of frames, however many there are."""
    return Noise(seed, Purpose.PHASE).uniform(frames, bins) * (2 * math.pi)
