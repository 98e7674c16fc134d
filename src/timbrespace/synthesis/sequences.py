"""Instruments whose latent moves in time: paths of any duration, drawn, bent, blended, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, InstrumentFileError, Parameter
from timbrespace.latent.trajectories import places, retimed, unfolded
from timbrespace.model.sequence.base import longest_length

if TYPE_CHECKING:
    from timbrespace.latent.trajectories import Trajectories
    from timbrespace.synthesis.file import Contents

SECONDS = Parameter("seconds", 0.01, 60.0, 1.0, "s", help="length of new sounds; their attack keeps its own speed")
_ATTACK_SECONDS = 0.1  # keep their speed when a path is made longer or shorter
_MOST_STEPS = 1 << 20  # of a recipe


def steps_of(contents: Contents, length: int) -> int:
    """Latent steps of a sound of `length` samples."""
    return -(-contents.representation.frames(length) // contents.model.stride)


def fitted(contents: Contents, path: Tensor, length: int | None) -> tuple[Tensor, int]:
    """A path `(dims, steps)` with as many steps as `length` samples have, and the length; None: as long as its steps last."""
    if length is None:
        length = longest_length(path.shape[1] * contents.model.stride, contents.representation.frames)
    return retimed(path, steps_of(contents, length), kept=_kept(contents)), length


def drawn(contents: Contents, coordinates: Tensor, length: int | None) -> tuple[Tensor, int]:
    """The path `(dims, steps)` that a point drawn in `contents.space` stands for, and its length in samples: its own, or the one asked."""
    paths = trajectories(contents)
    own = paths.length(coordinates)
    length = own if length is None else length
    where = places(steps_of(contents, own), steps_of(contents, length), kept=_kept(contents))
    return unfolded(paths.path(coordinates), where), length


def blended(contents: Contents, one: tuple[Tensor, int], other: tuple[Tensor, int], share: float) -> tuple[Tensor, int]:
    """A path and its length between two, each `(dims, own steps)` and samples: step by step, the lengths by their logarithm."""
    if share in (0.0, 1.0):
        return other if share else one
    length = max(1, round(one[1] ** (1 - share) * other[1] ** share))
    a, b = (fitted(contents, path, length)[0] for path, _ in (one, other))
    return a * (1 - share) + b * share, length


def trajectories(contents: Contents) -> Trajectories:
    """The paths of the corpus. Raises InstrumentFileError where an instrument whose latent moves has none."""
    if contents.paths is None:
        raise InstrumentFileError("this instrument's latent moves in time, but it holds no paths of its corpus; train it again")
    return contents.paths


def wanted_length(contents: Contents, seconds: float | None) -> int | None:
    """The samples that `seconds` asks for. Raises ConfigError where sounds come whole, or out of range."""
    if seconds is None:
        return None
    if not contents.model.time_varying:
        raise ConfigError(
            f"seconds is {seconds}, but this instrument makes whole clips that bring their own length; leave it out, or train a model "
            "whose latent moves in time (presets sequence, spectra)"
        )
    return max(1, round(SECONDS.check(seconds) * contents.sample_rate))


def written(path: Tensor) -> list[str]:
    """A path `(dims, steps)` for a recipe: a line of numbers a dimension, the shortest that name the same single-precision values."""
    return [" ".join(str(value) for value in row) for row in path.float().numpy().astype(np.float32)]


def read(lines: Sequence[str]) -> Tensor:
    """`written` back, `(dims, steps)`. Raises ValueError, TypeError, AttributeError where it is something else."""
    if isinstance(lines, str) or sum(len(line) for line in lines) > 32 * _MOST_STEPS:
        raise ValueError("the latent must be lines of numbers, one a dimension")
    return torch.tensor([[float(value) for value in line.split()] for line in lines], dtype=torch.float32)


def _kept(contents: Contents) -> int:
    return steps_of(contents, round(_ATTACK_SECONDS * contents.sample_rate))
