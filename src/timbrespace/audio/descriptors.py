"""Descriptors of a sound: spectral centroid and flatness, envelope, attack and decay time.

All take mono audio `(time,)` or `(batch, time)` as tensors or arrays, and return a tensor without the last dimension. The descriptors
of silence are 0. The pitch is in `audio.pitch`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.arrays import descriptors as arrays
from timbrespace.audio.arrays.descriptors import envelope_step
from timbrespace.audio.arrays.spectra import fft_size
from timbrespace.contracts import ShapeError

__all__ = [
    "Mono", "as_mono", "attack_time", "decay_time", "envelope", "envelope_step", "fft_size", "spectral_centroid", "spectral_flatness",
]  # fmt: skip

Mono = Tensor | np.ndarray

_SMOOTH_S = 0.003  # s; width of the Hann window over the envelope: fine enough for clicks
# Of the loudest 3 ms: quieter ones are not at the peak of the envelope, whatever the shape of the wave; s that are analysed after the last.
_NOT_PEAK, _AFTER_PEAK_S = 0.4, 0.05


def spectral_centroid(audio: Mono, sample_rate: int) -> Tensor:
    """Mean frequency of the power spectrum of the whole sound in Hz: `(..., time) -> (...)`."""
    return _of_arrays(arrays.spectral_centroid, as_mono(audio), sample_rate)


def spectral_flatness(audio: Mono, *, least_db: float = -100.0) -> Tensor:
    """Geometric over arithmetic mean of the smoothed power spectrum, 0 (a tone) … 1 (white): `(..., time) -> (...)`.

    The spectrum is the mean over frames of 1024 samples, so that white noise is near 1. least_db: dB of the mean power that weaker bins
    count as.
    """
    x = as_mono(audio)
    x = torch.nn.functional.pad(x, (0, max(0, 1024 - x.shape[-1])))
    frames = x.unfold(-1, 1024, 512) * torch.hann_window(1024, dtype=x.dtype, device=x.device)
    power = _power(torch.fft.rfft(frames)).mean(dim=-2)[..., 1:-1]
    mean = power.mean(dim=-1)
    least = (mean * 10 ** (least_db / 10)).clamp_min(torch.finfo(x.dtype).tiny)
    flat = torch.exp(power.maximum(least[..., None]).log().mean(dim=-1)) / mean.maximum(least)
    return torch.where(mean > 0, flat.clamp(0, 1), 0.0)


def envelope(audio: Mono, sample_rate: int) -> Tensor:
    """Amplitude envelope in steps of `envelope_step` samples (0.25 ms): `(..., time) -> (..., ceil(time / step))`.

    Magnitude of the analytic signal, averaged over each step and smoothed over 3 ms.
    """
    x = as_mono(audio)
    time, step = x.shape[-1], envelope_step(sample_rate)
    size = 2 * fft_size((time + round(0.02 * sample_rate)) // 2 + 1)  # zeros at the end, so that it does not wrap onto the start
    half = torch.fft.rfft(x, n=size)
    half[..., 0] = half[..., -1] = 0
    quadrature = torch.fft.irfft(half.mul_(-1j), n=size)[..., :time]  # the Hilbert transform: every frequency a quarter turn later
    magnitude = quadrature.square_().addcmul_(x, x).sqrt_()
    blocks = torch.nn.functional.pad(magnitude, (0, -time % step)).unflatten(-1, (-1, step)).mean(dim=-1)
    width = max(1, round(_SMOOTH_S * sample_rate / step)) | 1
    window = torch.hann_window(width + 2, periodic=False, dtype=x.dtype, device=x.device)[1:-1]
    flat = blocks.reshape(-1, 1, blocks.shape[-1])
    return torch.nn.functional.conv1d(flat, (window / window.sum())[None, None], padding=width // 2).reshape(blocks.shape)


def attack_time(audio: Mono, sample_rate: int) -> Tensor:
    """Rise time in s of the envelope from 10 % to 90 % of its peak, first crossings: `(..., time) -> (...)`."""
    x = as_mono(audio)
    size = envelope(x[..., : _beyond_peak(x, sample_rate)], sample_rate)
    peak = size.amax(dim=-1, keepdim=True)
    rise = _crossing(size, 0.9 * peak) - _crossing(size, 0.1 * peak)
    return torch.where(peak[..., 0] > 0, rise * (envelope_step(sample_rate) / sample_rate), 0.0)


def _beyond_peak(x: Tensor, sample_rate: int) -> int:
    """Samples after which the envelope of `x (..., time)` is no longer at its peak, with some more, so that its end does not count."""
    block = max(1, round(_SMOOTH_S * sample_rate))
    size = torch.nn.functional.pad(x, (0, -x.shape[-1] % block)).unflatten(-1, (-1, block)).abs().mean(dim=-1)
    loud = size >= _NOT_PEAK * size.amax(dim=-1, keepdim=True)
    last = int(loud.flatten(0, -2).any(0).nonzero()[-1]) if loud.ndim > 1 else int(loud.nonzero()[-1])
    return (last + 1) * block + round(_AFTER_PEAK_S * sample_rate)


def _power(spectrum: Tensor) -> Tensor:
    """Squared magnitudes of a complex tensor, same shape: several times cheaper than by `abs`."""
    pairs = torch.view_as_real(spectrum)
    return pairs[..., 0].square().addcmul_(pairs[..., 1], pairs[..., 1])


def _crossing(size: Tensor, level: Tensor) -> Tensor:
    """First time in steps at which `size (..., time)` reaches `level (..., 1)`, interpolated linearly: `(...)`."""
    after = (size >= level).int().argmax(dim=-1, keepdim=True)
    before = (after - 1).clamp_min(0)
    high, low = size.gather(-1, after), size.gather(-1, before)
    part = ((level - low) / (high - low).clamp_min(torch.finfo(size.dtype).tiny)).clamp(0, 1)
    return torch.where(after > 0, before + part, after.to(size.dtype))[..., 0]


def decay_time(audio: Mono, sample_rate: int) -> Tensor:
    """Time in s over which the sound decays by 60 dB: `(..., time) -> (...)`.

    A line is fitted to the backward integral of the energy between -5 and -35 dB, and extrapolated to -60 dB, so that no silence at
    the end is needed and a noisy tail counts. A single click has 0.
    """
    return _of_arrays(arrays.decay_time, as_mono(audio), sample_rate)


def _of_arrays(measure: Callable[[np.ndarray, int], np.ndarray], audio: Tensor, sample_rate: int) -> Tensor:
    """A measure of arrays `(..., time) -> (...)`, of a tensor."""
    return torch.from_numpy(np.asarray(measure(audio.cpu().numpy(), sample_rate))).to(audio.device)


def as_mono(audio: Mono) -> Tensor:
    """Mono audio `(..., time)` as a float tensor without gradient; float32 and float64 stay as they are. Raises ShapeError."""
    x = torch.as_tensor(audio)
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ShapeError(f"mono audio (..., time) with at least one sample is needed, not {tuple(x.shape)}")
    return x.detach() if x.dtype in (torch.float32, torch.float64) else x.detach().float()
