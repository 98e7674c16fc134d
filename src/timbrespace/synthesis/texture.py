"""What a decoder's mean leaves out of a new sound: a silent background, and the fluctuation of noise."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.noise import Noise, Purpose
from timbrespace.representation.base import Representation

KNEE_DB, RATIO = -60.0, 2.0  # downward expansion; dB under the loudest cell
TONAL_DB, NOISY_DB = 10.0, 2.0  # a cell this much louder than its neighbours in frequency is a partial, or noise
_NEIGHBOURS = (-4, -3, 3, 4)  # bands away; nearer ones belong to the same partial
_DEEPEST_GRAIN_DB = -20.0
ITERATIONS = 12  # of the phase search: new sounds measure the same with 16, 20 and 32, because no original fixes their levels
DEEPEST_DB = 80.0  # floor under the loudest cell, for a representation without one


def add_noise_texture(features: Tensor, representation: Representation, *, length: int, seed: int) -> Tensor:
    """Returns features `(1, parts, bands, frames)` of a new sound with a silent background and a noise texture.

    features: levels in dB with the loudest cell at 0. length: of the sound in samples. seed: of the noise.

    A model that learned silent and noisy backgrounds predicts a faint haze between them: quiet cells are expanded downwards. It also
    predicts the mean level of noise, whose level fluctuates: noisy cells get the fluctuation of white noise in the same
    representation, which has the right size and the right correlation between cells. Partials stay smooth. The reconstruction of a
    given sound is nearer to it without either.
    """
    floor = -floor_of(representation)
    expanded = features - (RATIO - 1) * (KNEE_DB - features).clamp_min(0)
    grainy = expanded + noisiness(expanded) * grain(representation, length=length, seed=seed).to(features)
    textured = torch.where(features > floor + 1.0, grainy, floor)
    return (textured - textured.amax()).clamp_min(floor)


def floor_of(representation: Representation) -> float:
    """Returns how far under the loudest cell the floor of levels is, in dB."""
    return float(getattr(representation, "floor", DEEPEST_DB))


def with_fewer_iterations(representation: Representation) -> Representation:
    """Returns the representation with a phase search of at most `ITERATIONS` steps, for new sounds."""
    iterations = getattr(representation, "iterations", 0)
    if iterations <= ITERATIONS:
        return representation
    shorter = copy.copy(representation)
    shorter.iterations = ITERATIONS  # type: ignore[attr-defined]
    return shorter


def grain(representation: Representation, *, length: int, seed: int) -> Tensor:
    """Returns the level of white noise relative to its mean power, in dB: `(1, parts, bands, frames)` for `length` samples."""
    noise = torch.from_numpy(Noise(seed, Purpose.GRAIN).normal(1, representation.channels, length)).float()
    level = representation.encode(noise)
    return (level - 10 * torch.log10((10 ** (level / 10)).mean((2, 3), keepdim=True))).clamp_min(_DEEPEST_GRAIN_DB)


def noisiness(features: Tensor) -> Tensor:
    """Returns `(batch, parts, bands, frames)` of the shape of `features`: 1 where a cell is as loud as its neighbours, 0 for a partial."""
    reach = max(_NEIGHBOURS)
    bands = features.shape[2]
    padded = functional.pad(features, (0, 0, reach, reach), mode="replicate")
    around = torch.stack([padded[:, :, reach + k : reach + k + bands] for k in _NEIGHBOURS]).mean(0)
    return 1 - ((features - around - NOISY_DB) / (TONAL_DB - NOISY_DB)).clamp(0, 1)
