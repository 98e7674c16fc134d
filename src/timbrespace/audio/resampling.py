"""Conversion of the number of channels and of the sample rate. Import it from `timbrespace.audio.files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_536_000  # Hz; outside, a header is damaged


def mix(audio: np.ndarray, channels: int | None) -> np.ndarray:
    """Audio with another number of channels: `(any, time) -> (channels, time)` float32.

    Channel k is the mean of the source channels i with i % channels == k; fewer source channels are repeated. None: unchanged. Raises
    ConfigError.
    """
    have = audio.shape[0]
    if channels is None or channels == have:
        return np.ascontiguousarray(audio, dtype=np.float32)
    if channels < 1:
        raise ConfigError(f"channels is {channels}, at least 1 is needed")
    if have < channels:
        return np.ascontiguousarray(audio[np.arange(channels) % have], dtype=np.float32)
    out = np.empty((channels, audio.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(channels):  # adding is several times faster than mean() over the short axis
            sources = audio[i::channels]
            out[i] = sources[0]
            for source in sources[1:]:
                out[i] += source
            out[i] *= np.float32(1.0 / len(sources))
    return out


def mix_weighted(audio: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of channels: `(any, time) -> (channels, time)` float32. weights: `(channels, any)`."""
    out = np.zeros((len(weights), audio.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, sums in zip(weights, out, strict=True):
            for weight, source in zip(row, audio, strict=True):
                if weight:  # an unused channel may hold infinite samples
                    sums += np.float32(weight) * source
    return out


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Audio `(..., time)` resampled from `from_rate` to `to_rate` Hz with soxr (HQ); its length is round(time · to / from), at least 1."""
    import torch

    if from_rate == to_rate:
        return audio
    flat = audio.detach().cpu().to(torch.float32).reshape(-1, audio.shape[-1]).numpy()
    out = torch.from_numpy(resample_array(flat, from_rate, to_rate))
    return out.reshape(*audio.shape[:-1], out.shape[-1]).to(audio.device, audio.dtype)


def resample_array(audio: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """`resample` for arrays `(channels, time)` float32. Raises ConfigError for rates out of range."""
    for rate in (from_rate, to_rate):
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise ConfigError(f"a sample rate of {rate} Hz is not possible; allowed is {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if from_rate == to_rate or audio.shape[-1] == 0:
        return audio
    length = max(1, round(audio.shape[-1] * to_rate / from_rate))
    least = -(-from_rate // to_rate)  # a shorter input would give no samples
    if audio.shape[-1] < least:
        audio = np.pad(audio, ((0, 0), (0, least - audio.shape[-1])))
    out = soxr.resample(np.ascontiguousarray(audio.T), from_rate, to_rate).T[:, :length]
    if out.shape[-1] < length:
        out = np.pad(out, ((0, 0), (0, length - out.shape[-1])))
    return np.ascontiguousarray(out, dtype=np.float32)
