"""Descriptors on NumPy arrays; `audio.descriptors` gives them for tensors."""

from __future__ import annotations

import numpy as np

from timbrespace.audio.arrays.spectra import fft_size

Array = np.ndarray


def envelope_step(sample_rate: int) -> int:
    """Samples per step of `descriptors.envelope`: 0.25 ms, at least one sample."""
    return max(1, sample_rate // 4000)


def spectral_centroid(audio: Array, sample_rate: int) -> Array:
    """Mean frequency of the power spectrum of the whole sound in Hz: `(..., time) -> (...)`; 0 of silence."""
    spectrum = np.fft.rfft(audio, n=fft_size(max(2, audio.shape[-1])))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    hz = np.linspace(0, sample_rate / 2, power.shape[-1], dtype=power.dtype)
    mean: Array = (power * hz).sum(axis=-1) / np.maximum(power.sum(axis=-1), np.finfo(power.dtype).tiny)
    return mean


def decay_time(audio: Array, sample_rate: int) -> Array:
    """Time in s over which the sound decays by 60 dB: `(..., time) -> (...)`, float32.

    A line is fitted to the backward integral of the energy between -5 and -35 dB, and extrapolated to -60 dB, so that no silence at
    the end is needed and a noisy tail counts. A single click has 0.
    """
    block = envelope_step(sample_rate)
    x = np.pad(audio.astype(np.float64), [(0, 0)] * (audio.ndim - 1) + [(0, -audio.shape[-1] % block)])
    energy = np.square(x).reshape(*x.shape[:-1], -1, block).sum(axis=-1)
    left = energy[..., ::-1].cumsum(axis=-1)[..., ::-1]
    total = np.maximum(left[..., :1], np.finfo(np.float64).tiny)
    level = 10 * np.log10(np.maximum(left / total, 1e-12))
    used = ((level <= -5) & (level >= -35)).astype(np.float64)
    t = np.arange(level.shape[-1]) * (block / sample_rate)
    count = used.sum(axis=-1)
    t_mean = (used * t).sum(axis=-1) / np.maximum(count, 1)
    y_mean = (used * level).sum(axis=-1) / np.maximum(count, 1)
    apart = t - t_mean[..., None]
    spread = (used * np.square(apart)).sum(axis=-1)
    slope = (used * apart * (level - y_mean[..., None])).sum(axis=-1) / np.maximum(spread, 1e-15)
    fitted = -60 / np.minimum(slope, -1e-6)
    # Too fast for a fit: the time of -35 dB, extrapolated to -60 dB.
    crossed = level <= -35
    first = np.maximum(crossed.argmax(axis=-1) - 1, 0)
    quick = np.where(crossed.any(axis=-1), first * (block / sample_rate) * (60 / 35), 0.0)
    seconds = np.where(count >= 4, fitted, quick)
    return np.where(left[..., 0] > 0, seconds, 0.0).astype(np.float32)
