"""Recovered audio made to fit its features better, by descent on the samples themselves.

The phase search leaves the loud cells right and the quiet ones less so. Here the features of the audio are compared with those wanted:
levels in dB first as magnitudes, which moves the loud cells out of wrong places, then as their square roots, where quiet cells count more.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

EXPONENTS = (1.0, 0.5)  # of the magnitudes that levels in dB stand for, one after the other
_REMEMBERED = 10  # steps that the search direction is made from


def refine(audio: Tensor, features: Tensor, *, encode: Callable[[Tensor], Tensor], decibels: bool, steps: int) -> Tensor:
    """Audio of one sound `(channels, time)` whose features come nearer to those wanted, the same shape; without any rng.

    features: `(parts, bands, frames)`. encode: `(1, channels, time) -> (1, parts, bands, frames)`, differentiable. decibels: whether
    features are levels in dB; else they are compared as they are. steps: of L-BFGS with a line search, about 1.1 encodings there and
    back each. A silent sound and samples that are zero stay so. Raises ConfigError, ShapeError.
    """
    if steps < 0:
        raise ConfigError(f"steps is {steps}, 0 or more are allowed; 50 is usual")
    if audio.ndim != 2 or features.ndim != 3:
        raise ShapeError(f"audio {tuple(audio.shape)} must be (channels, time), features {tuple(features.shape)} (parts, bands, frames)")
    size = float(audio.abs().max())
    if steps == 0 or size == 0:
        return audio
    heard, loudest = audio != 0, features.max()
    scales = EXPONENTS if decibels else (None,)
    samples = (audio / size).detach()
    for k, exponent in enumerate(scales):

        def error(samples: Tensor, exponent: float | None = exponent) -> Tensor:
            found = encode((samples * heard)[None] * size)[0]
            if exponent is None:
                return (found - features).square().sum() / features.square().sum().clamp_min(1e-12)
            found, wanted = (10 ** ((values - loudest) * (exponent / 20)) for values in (found, features))
            return (found - wanted).square().sum() / wanted.square().sum()

        samples = _descend(error, samples, steps=steps * (k + 1) // len(scales) - steps * k // len(scales))
    return samples * heard * size if bool(torch.isfinite(samples).all()) else audio


def _descend(error: Callable[[Tensor], Tensor], samples: Tensor, *, steps: int) -> Tensor:
    """Samples with less error, the same shape."""
    if steps == 0:
        return samples
    with torch.enable_grad():
        samples = samples.clone().requires_grad_(True)
        search = torch.optim.LBFGS(
            [samples],
            max_iter=steps,
            max_eval=steps * 5 // 4 + 1,
            history_size=_REMEMBERED,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            search.zero_grad()
            wrong = error(samples)
            wrong.backward()
            return wrong

        search.step(closure)
    return samples.detach()
