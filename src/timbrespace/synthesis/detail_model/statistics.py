"""Statistics of the detail of single sounds, and their regression on the latents."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.synthesis.detail_model.grid import band_hats, frame_hats

BAND_LAGS = (0, 1, 8)
LAGS = (0, 1, 2, 3, 6, 12, 24, 48)  # frames; the grain of noise has decayed at 3
_BLOCK = 9  # frames, over which the slow part is averaged away for the skewness


def covariances(detail: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
    """Returns sums of products of detail at each pair of lags, and their numbers: `(band lags, lags, B, F)` each.

    detail, used: `(bands, frames)` in dB, 0 where not used, and 1 where used.
    """
    bands, frames = detail.shape
    over_bands, over_frames = band_hats(bands), frame_hats(frames)
    sums = torch.zeros(len(BAND_LAGS), len(LAGS), over_bands.shape[1], over_frames.shape[1])
    counts = sums.clone()
    for i, apart in enumerate(BAND_LAGS):
        for j, lag in enumerate(LAGS):
            if lag >= frames or apart >= bands or (apart and lag in (1, 2)):
                continue
            first, later = (slice(0, bands - apart), slice(0, frames - lag)), (slice(apart, bands), slice(lag, frames))
            rows, columns = over_bands[: bands - apart].T, over_frames[: frames - lag]
            sums[i, j] = rows @ (detail[first] * detail[later]) @ columns
            counts[i, j] = rows @ (used[first] * used[later]) @ columns
    return sums, counts


def moments(detail: Tensor, used: Tensor) -> Tensor:
    """Returns number, second and third moment of the fast part of detail `(bands, frames)`, summed: `(3, B)`."""
    kernel = torch.ones(1, 1, _BLOCK)

    def summed(values: Tensor) -> Tensor:
        return functional.conv1d(values[:, None], kernel, padding=_BLOCK // 2)[:, 0]

    part = (detail - summed(detail) / summed(used).clamp_min(1)) * used
    return torch.stack([band_hats(len(detail)).T @ values.sum(1) for values in (used, part.square(), part**3)])


def mean_of(values: Tensor, weights: Tensor, *, prior: float = 200.0) -> Tensor:
    """Returns means over the sounds, `(sounds, B, F) -> (B, F)`, shrunk to the mean of all knots where there are few cells."""
    weights = torch.where(weights >= 15, weights, 0.0)
    pooled = (values * weights).sum() / weights.sum().clamp_min(1)
    return ((values * weights).sum(0) + prior * pooled) / (weights.sum(0) + prior)


def regression(latents: Tensor, values: Tensor, weights: Tensor, *, penalty: float) -> tuple[Tensor, Tensor]:
    """Returns the ridge regression of `values (sounds, …)` on standardised latents `(sounds, dims)`, each value by itself.

    Returns the constant and the slopes `(dims + 1, …)`, and the deviation of the residual `(…)`. weights: of `values`.
    """
    shape = values.shape[1:]
    inputs = torch.cat([torch.ones(len(latents), 1), latents], 1).double()
    ridge = penalty * torch.eye(inputs.shape[1], dtype=torch.float64)
    ridge[0, 0] = 1e-3
    flat, weight = values.reshape(len(values), -1).double(), weights.reshape(len(values), -1).double()
    normal = torch.einsum("nd,nk,ne->kde", inputs, weight, inputs) + ridge
    found = torch.linalg.solve(normal, torch.einsum("nd,nk->kd", inputs, weight * flat)).T
    left = ((flat - inputs @ found).square() * weight).sum(0) / weight.sum(0).clamp_min(1e-6)
    return found.float().reshape(-1, *shape), left.sqrt().float().reshape(shape)


def log_deviation(variance: Tensor, counts: Tensor, latents: Tensor, *, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the regression of the log of deviations, their range, and the deviation of the residual; see `DetailModel.fast`.

    variance, counts: `(sounds, B, F)`. latents: standardised.
    """
    weights = torch.where(counts >= 20, counts / (counts + 60), 0.0)
    pooled = (variance * weights).sum() / weights.sum().clamp_min(1e-6)
    logs = 0.5 * torch.log(variance.clamp_min(float(0.02 * pooled.clamp_min(0.1))))
    mean = float((logs * weights).sum() / weights.sum().clamp_min(1e-6))
    found, left = regression(latents, logs, weights, penalty=penalty)
    few = weights.sum(0) < 3  # sounds: where almost none has cells, all cells stand in
    found[:, few] = 0.0
    found[0, few] = mean
    known = torch.where(weights > 0, logs, torch.nan)
    limits = torch.stack([torch.nan_to_num(known.nanquantile(q, dim=0), nan=mean) for q in (0.03, 0.97)])
    return found, limits, left.clamp(0.0, 0.6)
