"""Parts of moves that all engines share: values along axes, walks, and the checks of requests. Without PyTorch."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbrespace.contracts import ConfigError, Parameter
from timbrespace.latent.walks import fractal, perlin, uniform_walk
from timbrespace.noise import Noise, Purpose

Doubles = NDArray[np.float64]
LOW, HIGH = -4.0, 4.0  # source E: mesh and random sampling of the latent space in [-4, 4]
VALUE = Parameter("a value of an axis", -16.0, 16.0, 0.0)
AMOUNT = Parameter("amount", 0.0, 4.0, 1.0, help="largest distance from the start, in units of the corpus's spread")
TEMPERATURE = Parameter("temperature", 0.0, 4.0, 1.0, help="factor of the noise")
SPEED = Parameter("speed", 0.01, 16.0, 1.0, help="places of the noise a step; of the uniform walk, four times its largest step")
WALKS = ("uniform", "perlin", "fractal")
MOST_SOUNDS = 10_000
PROPERTIES = (  # the descriptors of `audio.describe`, here without PyTorch
    "brightness", "decay", "attack", "noisiness", "pitch", "loudness", "inharmonicity", "length", "low_end",
)  # fmt: skip
_MOST_CELLS = 1024  # sounds of a mesh
_MOST_SEED = 2**63
_OCTAVES = 4


class AxisName(NamedTuple):
    """An axis by name: latent dimension or principal axis, and its number from 0."""

    principal: bool
    number: int

    def __str__(self) -> str:
        return f"{'pc' if self.principal else 'z'}{self.number + 1}"


def read_axis(name: str | int, *, dims: int, principal: int) -> AxisName:
    """Returns an axis: a latent dimension by its number from 1 ("3", "z3"), a principal axis ("pc2"). Raises ConfigError.

    dims, principal: how many there are of each.
    """
    match = re.fullmatch(r"(z|pc)?([0-9]{1,6})", str(name).strip().lower())
    if match and 1 <= int(match[2]) <= (principal if match[1] == "pc" else dims):
        return AxisName(match[1] == "pc", int(match[2]) - 1)
    counts = f"z1 to z{dims} (latent dimensions), pc1 to pc{principal} (principal axes)"
    raise ConfigError(f"the axis is {str(name)!r}, this instrument has {counts}, and its controls, such as brightness; `info` lists them")


def is_control(name: str | int) -> bool:
    """Returns whether an axis is a property of sounds, which the controls of an instrument may move."""
    return str(name).strip().lower().replace("-", "_").replace(" ", "_") in PROPERTIES


def values_between(low: float, high: float, steps: int) -> list[float]:
    """Returns `steps` even values from `low` to `high`; one step gives their middle. Raises ConfigError."""
    low, high = VALUE.check(low), VALUE.check(high)
    if steps == 1:
        return [(low + high) / 2]
    values = [low + (high - low) * k / (steps - 1) for k in range(steps)]
    return [0.0 if abs(value) < 1e-12 else value for value in values]


def check_cells(count: int) -> None:
    """Raises ConfigError for a move of too many sounds, or none."""
    if not 1 <= count <= _MOST_CELLS:
        raise ConfigError(f"the move has {count} sounds, allowed are 1 to {_MOST_CELLS}; ask for fewer steps")


def check_two(one: object, two: object) -> None:
    """Raises ConfigError unless a mesh has two different axes."""
    if str(one) == str(two):
        raise ConfigError(f"both axes of the mesh are {one}; give two different ones")


def check_walk(kind: str) -> None:
    """Raises ConfigError for another kind of walk than those of `WALKS`."""
    if kind not in WALKS:
        raise ConfigError(f"the walk is {kind!r}, allowed are {', '.join(WALKS)}")


def checked_count(count: int) -> int:
    """Returns a number of sounds. Raises ConfigError."""
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_SOUNDS:
        raise ConfigError(f"the number of sounds is {count!r}, allowed is 1 to {MOST_SOUNDS}")
    return count


def checked_seed(seed: int) -> int:
    """Returns the seed. Raises ConfigError unless it is a whole number from 0 to 2**63 - 1."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _MOST_SEED:
        raise ConfigError(f"seed is {seed!r}, allowed is a whole number from 0 to {_MOST_SEED - 1}")
    return seed


def walk(kind: str, seed: int, rows: int, places: np.ndarray, *, speed: float) -> np.ndarray:
    """Returns standardised coordinates `(rows, n)` of a walk at `places (n,)`, from 0 up; the first must be 0, and there they are 0.

    Each row of Perlin and fractal noise begins somewhere between two whole places, so that they do not pass 0 together.
    """
    if kind == "uniform":
        return uniform_walk(Noise(seed, Purpose.WALK), rows, len(places), step=min(2.0, speed / 4))
    starts = Noise(seed, Purpose.WALK, 1).uniform(rows)[:, None]
    at = starts + places[None] * speed
    if kind == "perlin":
        walked = perlin(Noise(seed, Purpose.WALK), rows, at)
    else:
        walked = fractal([Noise(seed, Purpose.WALK, 2 + octave) for octave in range(_OCTAVES)], rows, at)
    return walked - walked[:, :1]


def principal_directions(means: Doubles, factors: Doubles, weights: Doubles, *, known: int) -> Doubles:
    """Returns the principal axes of a mixture of Gaussians `(count, dims)`, each as long as its standard deviation, largest first.

    means: (components, dims). factors: of the covariances, (components, dims, rank). weights: (components,), their sum is 1. known:
    entries at the end of a latent that are left out (pitch, conditions): count is dims - known. The largest entry of an axis is positive.
    """
    centred = means - (weights[:, None] * means).sum(0)
    covariance = (weights[:, None, None] * (factors @ factors.transpose(0, 2, 1))).sum(0) + (centred * weights[:, None]).T @ centred
    count = len(covariance) - known
    variances, vectors = np.linalg.eigh(covariance[:count, :count])
    rows, variances = vectors[:, ::-1].T, variances[::-1]
    signs = np.sign(np.take_along_axis(rows, np.abs(rows).argmax(1, keepdims=True), 1))
    directions = np.zeros((count, len(covariance)))
    directions[:, :count] = rows * signs * np.sqrt(np.maximum(variances, 0.0))[:, None]
    return directions
