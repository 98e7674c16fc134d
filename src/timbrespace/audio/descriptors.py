"""Descriptors of a sound: spectral centroid and flatness, envelope, attack and decay time.

All take mono audio `(time,)` or `(batch, time)` as tensors or arrays, and return a tensor without the last dimension. The descriptors
of silence are 0. The pitch is in `audio.pitch`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ShapeError

Mono = Tensor | np.ndarray

_SMOOTH_S = 0.003  # s; width of the Hann window over the envelope: fine enough for clicks


def spectral_centroid(audio: Mono, sample_rate: int) -> Tensor:
    """Mean frequency of the power spectrum of the whole sound in Hz: `(..., time) -> (...)`."""
    power = _spectrum(audio)
    hz = torch.linspace(0, sample_rate / 2, power.shape[-1], dtype=power.dtype, device=power.device)
    return (power * hz).sum(dim=-1) / power.sum(dim=-1).clamp_min(torch.finfo(power.dtype).tiny)


def spectral_flatness(audio: Mono) -> Tensor:
    """Geometric over arithmetic mean of the smoothed power spectrum, 0 (a tone) … 1 (white): `(..., time) -> (...)`.

    The spectrum is the mean over frames of 1024 samples, so that white noise is near 1.
    """
    x = as_mono(audio)
    x = torch.nn.functional.pad(x, (0, max(0, 1024 - x.shape[-1])))
    frames = x.unfold(-1, 1024, 512) * torch.hann_window(1024, dtype=x.dtype, device=x.device)
    power = torch.fft.rfft(frames).abs().square().mean(dim=-2)[..., 1:-1]
    mean = power.mean(dim=-1)
    least = (mean * 1e-10).clamp_min(torch.finfo(x.dtype).tiny)
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
    half[..., 1:-1] *= 2
    magnitude = torch.fft.ifft(half, n=size).abs()[..., :time]  # negative frequencies are zero
    blocks = torch.nn.functional.pad(magnitude, (0, -time % step)).unflatten(-1, (-1, step)).mean(dim=-1)
    width = max(1, round(_SMOOTH_S * sample_rate / step)) | 1
    window = torch.hann_window(width + 2, periodic=False, dtype=x.dtype, device=x.device)[1:-1]
    flat = blocks.reshape(-1, 1, blocks.shape[-1])
    return torch.nn.functional.conv1d(flat, (window / window.sum())[None, None], padding=width // 2).reshape(blocks.shape)


def envelope_step(sample_rate: int) -> int:
    """Samples per step of `envelope`: 0.25 ms, at least one sample."""
    return max(1, sample_rate // 4000)


def attack_time(audio: Mono, sample_rate: int) -> Tensor:
    """Rise time in s of the envelope from 10 % to 90 % of its peak, first crossings: `(..., time) -> (...)`."""
    size = envelope(audio, sample_rate)
    peak = size.amax(dim=-1, keepdim=True)
    rise = _crossing(size, 0.9 * peak) - _crossing(size, 0.1 * peak)
    return torch.where(peak[..., 0] > 0, rise * (envelope_step(sample_rate) / sample_rate), 0.0)


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
    x = as_mono(audio).double() if not _is_mps(audio) else as_mono(audio)
    block = envelope_step(sample_rate)
    x = torch.nn.functional.pad(x, (0, -x.shape[-1] % block))
    energy = x.square().unflatten(-1, (-1, block)).sum(dim=-1)
    left = energy.flip(-1).cumsum(dim=-1).flip(-1)
    total = left[..., :1].clamp_min(torch.finfo(x.dtype).tiny)
    level = 10 * torch.log10((left / total).clamp_min(1e-12))
    used = ((level <= -5) & (level >= -35)).to(x.dtype)
    t = torch.arange(level.shape[-1], dtype=x.dtype, device=x.device).expand_as(level) * (block / sample_rate)
    count = used.sum(dim=-1)
    t_mean = (used * t).sum(dim=-1) / count.clamp_min(1)
    y_mean = (used * level).sum(dim=-1) / count.clamp_min(1)
    spread = (used * (t - t_mean[..., None]).square()).sum(dim=-1)
    slope = (used * (t - t_mean[..., None]) * (level - y_mean[..., None])).sum(dim=-1) / spread.clamp_min(1e-15)
    fitted = -60 / slope.clamp_max(-1e-6)
    # Too fast for a fit: the time of -35 dB, extrapolated to -60 dB.
    crossed = (level <= -35).to(torch.int8)
    quick = torch.where(crossed.amax(dim=-1) > 0, (crossed.argmax(dim=-1) - 1).clamp_min(0) * (block / sample_rate) * (60 / 35), 0.0)
    seconds = torch.where(count >= 4, fitted, quick)
    return torch.where(left[..., 0] > 0, seconds, 0.0).float()


def _spectrum(audio: Mono) -> Tensor:
    """Power spectrum of a whole sound, `(..., time) -> (..., bins)`."""
    x = as_mono(audio)
    return torch.fft.rfft(x, n=fft_size(max(2, x.shape[-1]))).abs().square()


def as_mono(audio: Mono) -> Tensor:
    """Mono audio `(..., time)` as a float tensor without gradient; float32 and float64 stay as they are. Raises ShapeError."""
    x = torch.as_tensor(audio)
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ShapeError(f"mono audio (..., time) with at least one sample is needed, not {tuple(x.shape)}")
    return x.detach() if x.dtype in (torch.float32, torch.float64) else x.detach().float()


def _is_mps(audio: Mono) -> bool:
    return isinstance(audio, Tensor) and audio.device.type == "mps"  # no float64 there


def fft_size(least: int) -> int:
    """The smallest size from `least` up that is a product of 2, 3 and 5: fast to transform."""
    from scipy.fft import next_fast_len  # late: loading it takes 0.2 s

    return int(next_fast_len(least, real=True))
