"""Time-varying latents: paths of any duration, drawn, stretched, blended, and written into recipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, InstrumentFileError, Parameter
from timbrespace.latent.trajectories import restore_path, stretch_path, stretch_positions
from timbrespace.model.sequence.base import longest_length

if TYPE_CHECKING:
    from timbrespace.latent.trajectories import Trajectories
    from timbrespace.synthesis.file.contents import InstrumentContents

SECONDS = Parameter("seconds", 0.01, 60.0, 1.0, "s", help="length of new sounds; their attack keeps its speed")
_ATTACK_SECONDS = 0.1  # keep their speed when a path is stretched
_MOST_STEPS = 1 << 20  # of a recipe


def latent_steps(contents: InstrumentContents, length: int) -> int:
    """Returns the number of latent steps of a sound of `length` samples."""
    return -(-contents.representation.frames(length) // contents.model.stride)


def fit_path(contents: InstrumentContents, path: Tensor, length: int | None) -> tuple[Tensor, int]:
    """Returns a path `(dims, steps)` stretched to `length` samples, and that length; None: the length that its steps have."""
    if length is None:
        length = longest_length(path.shape[1] * contents.model.stride, contents.representation.frames)
    return stretch_path(path, latent_steps(contents, length), attack=_attack_steps(contents)), length


def path_at(contents: InstrumentContents, coordinates: Tensor, length: int | None) -> tuple[Tensor, int]:
    """Returns the path `(dims, steps)` of coordinates drawn from `contents.space`, and its length in samples.

    length: in samples; None: the length that the coordinates hold.
    """
    trajectories = trajectories_of(contents)
    drawn = trajectories.length(coordinates)
    length = drawn if length is None else length
    steps, new_steps = latent_steps(contents, drawn), latent_steps(contents, length)
    positions = stretch_positions(steps, new_steps, attack=_attack_steps(contents))
    return restore_path(trajectories.path(coordinates), positions), length


def blend(contents: InstrumentContents, start: tuple[Tensor, int], end: tuple[Tensor, int], share: float) -> tuple[Tensor, int]:
    """Returns the path and length between two paths `(dims, steps)` with lengths in samples.

    share: 0 gives `start`, 1 gives `end`. Paths are blended step by step, lengths geometrically.
    """
    if share in (0.0, 1.0):
        return end if share else start
    length = max(1, round(start[1] ** (1 - share) * end[1] ** share))
    a, b = (fit_path(contents, path, length)[0] for path, _ in (start, end))
    return a * (1 - share) + b * share, length


def trajectories_of(contents: InstrumentContents) -> Trajectories:
    """Returns the trajectories of an instrument. Raises InstrumentFileError where a time-varying latent has none."""
    if contents.trajectories is None:
        raise InstrumentFileError("this instrument's latent varies in time, but it holds no trajectories of its corpus; train it again")
    return contents.trajectories


def requested_length(contents: InstrumentContents, seconds: float | None) -> int | None:
    """Returns `seconds` in samples. Raises ConfigError for an instrument of whole clips, or out of range."""
    if seconds is None:
        return None
    if not contents.model.time_varying:
        raise ConfigError(
            f"seconds is {seconds}, but this instrument makes whole clips that have their own length; leave it out, or train a model "
            "with a time-varying latent (presets sequence, spectra)"
        )
    return max(1, round(SECONDS.check(seconds) * contents.sample_rate))


def path_to_text(path: Tensor) -> list[str]:
    """Returns a path `(dims, steps)` as lines of numbers, one a dimension, each the shortest text of its single-precision value."""
    return [" ".join(str(value) for value in row) for row in path.float().numpy().astype(np.float32)]


def path_from_text(lines: Sequence[str]) -> Tensor:
    """Returns the path `(dims, steps)` of `path_to_text`. Raises ValueError, TypeError or AttributeError for anything else."""
    if isinstance(lines, str) or sum(len(line) for line in lines) > 32 * _MOST_STEPS:
        raise ValueError("the latent must be lines of numbers, one a dimension")
    return torch.tensor([[float(value) for value in line.split()] for line in lines], dtype=torch.float32)


def _attack_steps(contents: InstrumentContents) -> int:
    """Latent steps of an attack, which are not stretched."""
    return latent_steps(contents, round(_ATTACK_SECONDS * contents.sample_rate))
