"""What a decoder's average leaves out of an invented sound: a silent background, and the grain of noise."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.representation.base import Representation

KNEE_DB, RATIO = -60.0, 2.0  # downward expansion, dB under the loudest cell
TONAL_DB, NOISY_DB = 10.0, 2.0  # a cell that stands out from its neighbours in frequency by so much is a partial, or noise
_NEIGHBOURS = (-4, -3, 3, 4)  # bands away; nearer ones belong to the same partial
_DEEPEST_GRAIN_DB = -20.0
ITERATIONS = 12  # of the phase search: with 16, 20 and 32 new sounds measure the same, for their levels are no one's in particular
DEEPEST_DB = 80.0  # under the loudest cell, where a representation has no floor of its own


def add_noise_texture(features: Tensor, representation: Representation, *, length: int, seed: int) -> Tensor:
    """Levels of an invented sound, `(1, parts, bands, frames)` in dB with the loudest cell at 0, made to sound like one.

    Between sounds with a silent and sounds with a noisy background a model predicts a faint haze: what lies far down is pushed
    further down. And it predicts the mean level of noise, which fluctuates: noisy cells take the fluctuation of white noise seen
    through the same representation, so that it has the right size and the right correlation from cell to cell. Partials, which
    stand out from their neighbours, stay smooth. A copy of a given sound is nearer to it without both. length: samples.
    """
    floor = -float(getattr(representation, "floor", DEEPEST_DB))
    expanded = features - (RATIO - 1) * (KNEE_DB - features).clamp_min(0)
    grainy = expanded + noisiness(expanded) * grain(representation, length=length, seed=seed).to(features)
    textured = torch.where(features > floor + 1.0, grainy, floor)
    return (textured - textured.amax()).clamp_min(floor)


def with_fewer_iterations(representation: Representation) -> Representation:
    """The same view with a phase search of at most `ITERATIONS` steps on its way back, for invented sounds."""
    iterations = getattr(representation, "iterations", 0)
    if iterations <= ITERATIONS:
        return representation
    brisker = copy.copy(representation)
    brisker.iterations = ITERATIONS  # type: ignore[attr-defined]
    return brisker


def grain(representation: Representation, *, length: int, seed: int) -> Tensor:
    """Fluctuation of white noise about its mean power in dB: `(1, parts, bands, frames)` for `length` samples."""
    noise = torch.randn(1, representation.channels, length, generator=torch.Generator().manual_seed(seed))
    level = representation.encode(noise)
    return (level - 10 * torch.log10((10 ** (level / 10)).mean((2, 3), keepdim=True))).clamp_min(_DEEPEST_GRAIN_DB)


def noisiness(features: Tensor) -> Tensor:
    """1 where a cell lies among equals in frequency, 0 where it is a partial: `(batch, parts, bands, frames)`, the same shape."""
    reach = max(_NEIGHBOURS)
    bands = features.shape[2]
    padded = functional.pad(features, (0, 0, reach, reach), mode="replicate")
    around = torch.stack([padded[:, :, reach + k : reach + k + bands] for k in _NEIGHBOURS]).mean(0)
    return 1 - ((features - around - NOISY_DB) / (TONAL_DB - NOISY_DB)).clamp(0, 1)
