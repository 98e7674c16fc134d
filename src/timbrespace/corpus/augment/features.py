"""Applies a `Variation` to features instead of audio, where that is well defined.

Features are levels in dB or magnitudes `(batch, parts, bands, frames)` of sounds that start in frame 0. The changes:

| gain, tilt, bells | a level for every band: the response of the filter at its centre                                 |
| decay             | a level for every frame                                                                          |
| stretch           | frames interpolated linearly (in dB if features are in dB)                                       |
| reverse           | frames backwards; frame 0 is the first sample only if the last frame is the end                  |
| mix               | powers added: the average over the phases of two sounds                                          |
| noise             | power added in every cell, distributed as that of Gaussian noise, from the seed of the variation |

`semitones` and `transpose`, also of a partner, are errors: shifting bands needs bands of the same shape at any distance, which no
representation has; vary the audio instead. Unlike in `vary_audio`, the result is not normalised.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.audio import filters
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.augment.audio import bell_sections
from timbrespace.corpus.augment.draw import Variation

_TINY = 1e-30  # power


def vary_features(
    features: Tensor,
    variation: Variation,
    *,
    decibels: bool,
    hertz: Tensor | np.ndarray,
    step_s: float,
    sample_rate: int,
    partner: Tensor | None = None,
) -> Tensor:
    """Varied features: `(batch, parts, bands, frames) -> (batch, parts, bands, max(1, round(frames · stretch)))`.

    A longer partner determines the number of frames. decibels: features are levels in dB; otherwise magnitudes, 0 and above. hertz:
    centres of the bands `(bands,)`. step_s: s from frame to frame. sample_rate: Hz, of the audio. partner: features of the same shape
    except for the frames, required if the variation has one.

    Raises ConfigError (a change that is not possible for features), ShapeError.
    """
    centres = _check(features, variation, decibels=decibels, hertz=hertz, step_s=step_s, partner=partner)
    varied = features.flip(-1) if variation.reverse else features
    varied = _stretched(varied, variation.stretch)
    if variation.partner is not None and partner is not None:
        varied = _mixed(varied, partner.to(varied), variation.partner_db, decibels=decibels)
    slope = torch.arange(varied.shape[-1], device=varied.device, dtype=varied.dtype) * (-variation.decay * step_s)
    varied = _louder(varied, _bands_db(variation, centres, sample_rate).to(varied)[:, None] + slope, decibels=decibels)
    if variation.noise_db is not None:
        varied = _noisy(varied, variation, centres, decibels=decibels)
    return _louder(varied, varied.new_tensor(variation.gain_db), decibels=decibels)


def _check(
    features: Tensor, variation: Variation, *, decibels: bool, hertz: Tensor | np.ndarray, step_s: float, partner: Tensor | None
) -> np.ndarray:
    """Centres of the bands in Hz `(bands,)`, after a check of all arguments. Raises ConfigError, ShapeError."""
    for key in ("semitones", "transpose", "partner_semitones"):
        if getattr(variation, key):
            raise ConfigError(f"{key} is {getattr(variation, key):g}, which is not possible for features; set it to 0 or vary the audio")
    if not 0.25 <= variation.stretch <= 4:
        raise ConfigError(f"stretch is {variation.stretch}, allowed is 0.25 to 4")
    if not step_s > 0 or not math.isfinite(step_s):
        raise ConfigError(f"step_s is {step_s}, allowed are seconds above 0")
    if (partner is None) != (variation.partner is None):
        raise ConfigError("a partner is needed if the variation has one, and only then")
    centres = np.asarray(hertz, dtype=np.float64)
    for what in (features, partner):
        if what is not None and (what.ndim != 4 or not what.is_floating_point() or not what.shape[-1]):
            raise ShapeError(f"features must be floating point (batch, parts, bands, frames), not {tuple(what.shape)} of {what.dtype}")
        if what is not None and not (torch.isfinite(what).all() and (decibels or bool((what >= 0).all()))):
            raise ShapeError(f"features must be finite{'' if decibels else ' magnitudes, 0 and above'}")
    if partner is not None and partner.shape[:3] != features.shape[:3]:
        raise ShapeError(f"the partner {tuple(partner.shape)} must have the batch, parts and bands of {tuple(features.shape)}")
    if centres.shape != (features.shape[2],) or not np.isfinite(centres).all() or (centres < 0).any():
        raise ShapeError(f"hertz must be {features.shape[2]} centres of bands of 0 Hz and above, not {centres.shape}")
    return centres


def _louder(features: Tensor, level: Tensor, *, decibels: bool) -> Tensor:
    return features + level if decibels else features * 10 ** (level / 20)


def _power(features: Tensor, *, decibels: bool) -> Tensor:
    return 10 ** (features / 10) if decibels else features.square()


def _from_power(power: Tensor, *, decibels: bool) -> Tensor:
    return 10 * torch.log10(power.clamp_min(_TINY)) if decibels else power.sqrt()


def _bands_db(variation: Variation, centres: np.ndarray, sample_rate: int) -> Tensor:
    """Response of tilt and equaliser at the centres of the bands, dB `(bands,)`."""
    response = np.abs(1 - variation.tilt * np.exp(-2j * np.pi * centres / sample_rate))
    if variation.bells:
        response = response * np.abs(
            filters.response(bell_sections(variation.bells, sample_rate=sample_rate), centres, sample_rate=sample_rate)
        )
    return torch.from_numpy(20 * np.log10(np.maximum(response, 1e-15)))


def _stretched(features: Tensor, factor: float) -> Tensor:
    """Features stretched by `factor`: frame m of the result is frame m / factor, interpolated; beyond the end it is the last one."""
    if factor == 1:
        return features
    frames = features.shape[-1]
    position = (torch.arange(max(1, round(frames * factor)), device=features.device, dtype=torch.float64) / factor).clamp_max(frames - 1)
    low = position.floor().long()
    share = (position - low).to(features.dtype)
    return features[..., low] * (1 - share) + features[..., (low + 1).clamp_max(frames - 1)] * share


def _mixed(features: Tensor, partner: Tensor, partner_db: float, *, decibels: bool) -> Tensor:
    """Sum of the powers; after the end of the shorter one, the longer alone."""
    one, other = _power(features, decibels=decibels), _power(partner, decibels=decibels) * 10 ** (partner_db / 10)
    frames = max(one.shape[-1], other.shape[-1])
    return _from_power(
        functional.pad(one, (0, frames - one.shape[-1])) + functional.pad(other, (0, frames - other.shape[-1])), decibels=decibels
    )


def _noisy(features: Tensor, variation: Variation, centres: np.ndarray, *, decibels: bool) -> Tensor:
    """Features plus noise, `noise_db` below the mean power of each sound over all cells, which count equally."""
    power = _power(features, decibels=decibels)
    spread = np.random.default_rng(variation.noise_seed).exponential(size=power.shape[1:])
    if variation.noise_pink:
        spread /= np.maximum(centres, 20.0)[:, None]
    noise = torch.from_numpy(spread / spread.mean()).to(power)
    level = power.mean(dim=(1, 2, 3), keepdim=True) * 10 ** (-(variation.noise_db or 0.0) / 10)
    return _from_power(power + noise * level, decibels=decibels)
