"""Walks: numbers that wander over time, in closed form from a stream of `timbrespace.noise`.

    uniform   x(k + 1) = x(k) + step * (2u - 1), reflected at the bounds
    perlin    gradients g(k) at whole places k, 2u - 1; between k and k + 1, with f = place - k and s = 6f⁵ - 15f⁴ + 10f³:
                  2 * ((1 - s) * g(k) * f + s * g(k + 1) * (f - 1))                 Perlin 1985, 2002, in one dimension
    fractal   sum over octaves o of perlin(2ᵒ place) / 2ᵒ, each with gradients of its own, over the sum of 1 / 2ᵒ

u are the uniform numbers of the stream, place by place, so that a longer walk begins as a shorter one; each octave has its own stream.
Perlin noise is 0 at whole places, smooth, and within -1 and 1; so is fractal noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from timbrespace.noise import Noise, Values

_BOUND = 1.0  # of the uniform walk


def uniform_walk(noise: Noise, rows: int, count: int, *, step: float) -> Values:
    """Returns walks `(rows, count)` that begin at 0 and stay within -1 and 1; every step is at most `step`, 0 to 2."""
    moves = (2 * noise.uniform(count, rows).T - 1) * step
    walks = np.zeros((rows, count))
    for k in range(1, count):
        walks[:, k] = reflect(walks[:, k - 1] + moves[:, k])
    return walks


def reflect(values: Values) -> Values:
    """Returns values reflected at -1 and 1 until they are within; same shape."""
    folded = np.mod(values + _BOUND, 4 * _BOUND)
    return np.where(folded > 2 * _BOUND, 4 * _BOUND - folded, folded) - _BOUND


def perlin(noise: Noise, rows: int, places: Values) -> Values:
    """Returns Perlin noise `(rows, n)` at `places (n,)` or `(rows, n)`, from 0 up; each row has its own gradients."""
    places = np.broadcast_to(places, (rows, places.shape[-1]))
    knots = math.floor(places.max(initial=0.0)) + 2
    gradients = 2 * noise.uniform(knots, rows).T - 1
    before = np.floor(places).astype(int)
    f = places - before
    s = f**3 * (f * (6 * f - 15) + 10)
    left, right = (np.take_along_axis(gradients, before + k, 1) for k in (0, 1))
    return np.asarray(2 * ((1 - s) * left * f + s * right * (f - 1)))


def fractal(noises: Sequence[Noise], rows: int, places: Values) -> Values:
    """Returns fractal noise `(rows, n)` at `places (n,)` or `(rows, n)`: an octave of Perlin noise of each stream, each half as strong."""
    total = sum(perlin(noise, rows, places * 2**octave) / 2**octave for octave, noise in enumerate(noises))
    return np.asarray(total / sum(2.0**-octave for octave in range(len(noises))))
