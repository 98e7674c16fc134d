"""Refinement of decoded audio by gradient descent on its samples, so that its features match the given ones better.

Phase retrieval fits loud cells well and quiet ones less. The error compares the features of the audio with the given ones: levels in dB
are compared first as magnitudes, which corrects loud cells, then as their square roots, which gives quiet cells more weight.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

EXPONENTS = (1.0, 0.5)  # of the magnitudes, one after the other
_HISTORY = 10  # steps that L-BFGS estimates the curvature from


def refine(audio: Tensor, features: Tensor, *, encode: Callable[[Tensor], Tensor], decibels: bool, steps: int) -> Tensor:
    """Returns audio of one sound whose features match better: `(channels, time) -> (channels, time)`. Deterministic.

    features: `(parts, bands, frames)`, the target. encode: `(1, channels, time) -> (1, parts, bands, frames)`, differentiable.
    decibels: whether features are levels in dB; other features are compared directly. steps: of L-BFGS with a line search; a step takes
    about 1.1 forward and backward passes of `encode`. Samples that are zero stay zero. Raises ConfigError, ShapeError.
    """
    if steps < 0:
        raise ConfigError(f"steps is {steps}, allowed are whole numbers from 0; 50 is usual")
    if audio.ndim != 2 or features.ndim != 3:
        raise ShapeError(f"audio {tuple(audio.shape)} must be (channels, time), features {tuple(features.shape)} (parts, bands, frames)")
    size = float(audio.abs().max())
    if steps == 0 or size == 0:
        return audio
    nonzero, loudest = audio != 0, features.max()
    scales = EXPONENTS if decibels else (None,)
    samples = (audio / size).detach()
    for k, exponent in enumerate(scales):

        def error(samples: Tensor, exponent: float | None = exponent) -> Tensor:
            encoded = encode((samples * nonzero)[None] * size)[0]
            if exponent is None:
                return (encoded - features).square().sum() / features.square().sum().clamp_min(1e-12)
            encoded, target = (10 ** ((values - loudest) * (exponent / 20)) for values in (encoded, features))
            return (encoded - target).square().sum() / target.square().sum()

        samples = _minimise(error, samples, steps=steps * (k + 1) // len(scales) - steps * k // len(scales))
    return samples * nonzero * size if bool(torch.isfinite(samples).all()) else audio


def _minimise(error: Callable[[Tensor], Tensor], samples: Tensor, *, steps: int) -> Tensor:
    """Returns samples with a smaller error: `(channels, time) -> (channels, time)`."""
    if steps == 0:
        return samples
    with torch.enable_grad():
        samples = samples.clone().requires_grad_(True)
        optimiser = torch.optim.LBFGS(
            [samples],
            max_iter=steps,
            max_eval=steps * 5 // 4 + 1,
            history_size=_HISTORY,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = error(samples)
            loss.backward()
            return loss

        optimiser.step(closure)
    return samples.detach()
