"""Gaussian noise over bands and frames, of deviation 1, with the correlations of detail. One stream of `timbrespace.noise` each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from timbrespace.noise import Noise

_BROAD_BANDS = 10  # independent values over the whole range of bands


def ripple(noise: Noise, weight: Tensor) -> Tensor:
    """Returns `(bands, 1)`: one value for the whole sound, correlated with that of the next band. weight `(bands,)`: of neighbours."""
    return over_bands(_normal(noise, len(weight), 1), weight)


def drifting(noise: Noise, weight: Tensor, *, frames: int) -> Tensor:
    """Returns `(bands, frames)`: as `ripple`, but it changes with every doubling of the time since the onset."""
    first, a, b = _octaves(noise, frames)
    values = over_bands(_normal(noise, len(weight), int(first[-1]) + 2), weight)
    return values[:, first] * a + values[:, first + 1] * b


def broad(noise: Noise, *, bands: int, frames: int) -> Tensor:
    """Returns `(bands, frames)`: smooth over a tenth of the bands, and changing with every doubling of the time since the onset."""
    first, a, b = _octaves(noise, frames)
    values = _normal(noise, _BROAD_BANDS + 2, int(first[-1]) + 2)
    values = values[:, first] * a + values[:, first + 1] * b
    band, c, d = _between(torch.arange(bands) * (_BROAD_BANDS / bands) + float(noise.uniform(1)[0]))
    return values[band] * c[:, None] + values[band + 1] * d[:, None]


def fast(noise: Noise, kernel: Tensor, *, frames: int) -> Tensor:
    """Returns `(bands, frames)`: the grain of noise. kernel `(3, bands)`: weights of frames one and two away, and of the next band."""
    white = _normal(noise, kernel.shape[1], frames + 4)
    near, far = kernel[0][:, None], kernel[1][:, None]
    smooth = white[:, 2:-2] + near * (white[:, 1:-3] + white[:, 3:-1]) + far * (white[:, :-4] + white[:, 4:])
    return over_bands(smooth / (1 + 2 * near.square() + 2 * far.square()).sqrt(), kernel[2])


def knot_values(noise: Noise, knots: int) -> Tensor:
    """Returns `(knots, 1)`: one value a knot, with a correlation of about a half between neighbours, within -2 to 2."""
    common, values = _normal(noise, 1), _normal(noise, knots)
    smooth = values.clone()
    smooth[1:] += 0.6 * values[:-1]
    smooth[:-1] += 0.6 * values[1:]
    return (0.6 * common + 0.8 * smooth / math.sqrt(1.72)).clamp(-2, 2)[:, None]


def over_bands(values: Tensor, weight: Tensor) -> Tensor:
    """Returns `(bands, frames)` with neighbouring bands added by `weight (bands,)`; independent values keep their deviation."""
    share = weight[:, None]
    result = values.clone()
    result[1:] += share[1:] * values[:-1]
    result[:-1] += share[:-1] * values[1:]
    return result / (1 + 2 * share.square()).sqrt()


def neighbour_weight(correlation: Tensor) -> Tensor:
    """Returns the weight of neighbours that gives a correlation of neighbours: a with 2 a / (1 + 2 a²) = correlation, at most 0.7."""
    c = correlation.clamp(1e-3, 0.7)
    return (1 - (1 - 2 * c.square()).clamp_min(0).sqrt()) / (2 * c)


def time_weights(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the weights of frames one and two away that give correlations `first` and `second` of frames one and two apart."""
    near, far = torch.full_like(first, 0.3), torch.zeros_like(first)
    for _ in range(60):  # a damped fixed point
        total = 1 + 2 * near.square() + 2 * far.square()
        near = (0.5 * near + 0.5 * first * total / (2 + 2 * far)).clamp(0, 1.2)
        far = (0.5 * far + 0.25 * (second * total - near.square())).clamp(-0.2, 1)
    return near, far


def _normal(noise: Noise, *shape: int) -> Tensor:
    return torch.from_numpy(noise.normal(*shape)).float()


def _octaves(noise: Noise, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of every frame: the earlier of its two octaves since the onset, and the weights of both; the octaves begin at a random offset."""
    return _between(torch.log2(torch.arange(frames) + 2.0) + float(noise.uniform(1)[0]))


def _between(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The whole numbers under `positions`, and the weights of these and the next, whose squares add up to 1."""
    first = positions.floor()
    angle = (positions - first) * (math.pi / 2)
    return first.long(), angle.cos(), angle.sin()
