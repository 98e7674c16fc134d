"""What can be said about a sound in one number: level, brightness, attack, decay, noisiness, pitch.

All but the pitch take mono audio `(time,)` or `(batch, time)` as tensors or arrays and give a tensor without the last
dimension. Silence gives 0, or -inf where the unit is dB.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, ShapeError

Mono = Tensor | np.ndarray

_SMOOTH_S = 0.003  # s; width of the Hann window over the envelope: fine enough for clicks
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def peak_db(audio: Mono) -> Tensor:
    """Highest absolute sample in dB under full scale: `(..., time) -> (...)`."""
    return 20 * torch.log10(_mono(audio).abs().amax(dim=-1))


def rms_db(audio: Mono) -> Tensor:
    """Root mean square in dB under full scale (a full-scale sine has -3.01): `(..., time) -> (...)`."""
    return 10 * torch.log10(_mono(audio).square().mean(dim=-1))


def spectral_centroid(audio: Mono, sample_rate: int) -> Tensor:
    """Mean frequency of the whole sound's power spectrum in Hz: `(..., time) -> (...)`."""
    power = _spectrum(audio)
    hz = torch.linspace(0, sample_rate / 2, power.shape[-1], dtype=power.dtype, device=power.device)
    return (power * hz).sum(dim=-1) / power.sum(dim=-1).clamp_min(torch.finfo(power.dtype).tiny)


def spectral_flatness(audio: Mono) -> Tensor:
    """Geometric over arithmetic mean of the smoothed power spectrum, 0 (a tone) … 1 (white): `(..., time) -> (...)`.

    The spectrum is averaged over frames of 1024 samples first, so that white noise comes near 1.
    """
    x = _mono(audio)
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
    x = _mono(audio)
    time, step = x.shape[-1], envelope_step(sample_rate)
    size = 2 * _fast_size((time + round(0.02 * sample_rate)) // 2 + 1)  # room so that the end does not wrap onto the start
    half = torch.fft.rfft(x, n=size)
    half[..., 1:-1] *= 2
    magnitude = torch.fft.ifft(half, n=size).abs()[..., :time]  # zeros stand for the negative frequencies
    blocks = torch.nn.functional.pad(magnitude, (0, -time % step)).unflatten(-1, (-1, step)).mean(dim=-1)
    width = max(1, round(_SMOOTH_S * sample_rate / step)) | 1
    window = torch.hann_window(width + 2, periodic=False, dtype=x.dtype, device=x.device)[1:-1]
    flat = blocks.reshape(-1, 1, blocks.shape[-1])
    return torch.nn.functional.conv1d(flat, (window / window.sum())[None, None], padding=width // 2).reshape(blocks.shape)


def envelope_step(sample_rate: int) -> int:
    """Samples in a step of `envelope`: 0.25 ms, at least one sample."""
    return max(1, sample_rate // 4000)


def attack_time(audio: Mono, sample_rate: int) -> Tensor:
    """Rise time in s from 10 % to 90 % of the envelope's peak, first crossings: `(..., time) -> (...)`."""
    size = envelope(audio, sample_rate)
    peak = size.amax(dim=-1, keepdim=True)
    rise = _crossing(size, 0.9 * peak) - _crossing(size, 0.1 * peak)
    return torch.where(peak[..., 0] > 0, rise * (envelope_step(sample_rate) / sample_rate), 0.0)


def _crossing(size: Tensor, level: Tensor) -> Tensor:
    """First moment in steps at which `size (..., time)` reaches `level (..., 1)`, between steps by a straight line."""
    after = (size >= level).int().argmax(dim=-1, keepdim=True)
    before = (after - 1).clamp_min(0)
    high, low = size.gather(-1, after), size.gather(-1, before)
    part = ((level - low) / (high - low).clamp_min(torch.finfo(size.dtype).tiny)).clamp(0, 1)
    return torch.where(after > 0, before + part, after.to(size.dtype))[..., 0]


def decay_time(audio: Mono, sample_rate: int) -> Tensor:
    """Time in s over which the sound decays by 60 dB: `(..., time) -> (...)`.

    A line is fitted to the energy that is still to come (backward integral) between 5 and 35 dB under its start, and
    extrapolated to 60 dB, so that it needs no silence at the end and hears a noisy tail. A single click has 0.
    """
    x = _mono(audio).double() if not _is_mps(audio) else _mono(audio)
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
    # Too fast for a fit: the moment at which 35 dB are gone, taken to 60 dB.
    crossed = (level <= -35).to(torch.int8)
    quick = torch.where(crossed.amax(dim=-1) > 0, (crossed.argmax(dim=-1) - 1).clamp_min(0) * (block / sample_rate) * (60 / 35), 0.0)
    found = torch.where(count >= 4, fitted, quick)
    return torch.where(left[..., 0] > 0, found, 0.0).float()


def estimate_pitch(audio: Mono, sample_rate: int, *, low: float = 40.0, high: float = 2500.0) -> tuple[float | None, float]:
    """Fundamental frequency of a mono sound `(time,)`: `(Hz or None, confidence 0 … 1)`; None for unpitched sounds.

    The difference function of the YIN method, by FFT, on up to 24 frames of the sound's loudest stretch; the pitch is the
    median over the frames that are clearly periodic, the confidence the share of them that agree within half a semitone
    times their periodicity. low, high: Hz, the range searched. Raises ShapeError, ConfigError.
    """
    x = _one_mono(audio)
    if not 0 < low < high <= sample_rate / 4:
        raise ConfigError(f"pitch range {low:g} to {high:g} Hz: allowed is 0 < low < high <= {sample_rate / 4:g} Hz (rate / 4)")
    longest = math.ceil(sample_rate / low) + 2
    frames = _pitch_frames(x.double(), size=2 * longest, sample_rate=sample_rate)
    if frames is None:
        return None, 0.0
    period, dip = _periods(frames, shortest=max(2, math.floor(sample_rate / high)), longest=longest)
    clear = dip < 0.2
    if not bool(clear.any()):
        return None, max(0.0, min(1.0, 1.0 - float(dip.median())) * 0.5)
    hz = sample_rate / period[clear]
    middle = hz.median()
    agree = (torch.log2(hz / middle).abs() < 0.5 / 12).double()
    confidence = float(agree.sum() / len(dip) * (1 - dip[clear].mean()))
    if confidence < 0.35:
        return None, confidence
    return float(hz[agree > 0].median()), confidence


def tune_pitch(audio: Mono, sample_rate: int, *, near: float) -> float:
    """Fundamental frequency in Hz of a mono sound `(time,)` that is known to lie within half a semitone of `near` Hz, to half a cent.

    The one whose first eight harmonics have the most amplitude together, in the spectrum of the first second (Hann window, bins a
    sixteenth of a hertz apart: no finer is a low tone without harmonics told). What is silent stays at `near`. Raises ShapeError,
    ConfigError.
    """
    x = _one_mono(audio)
    if not 0 < near < sample_rate / 2:
        raise ConfigError(f"near is {near:g} Hz: allowed is above 0 and below {sample_rate / 2:g} Hz (rate / 2)")
    x = x[:sample_rate].double().cpu()
    size = 16 * _fast_size(sample_rate)
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), periodic=False, dtype=x.dtype), n=size).abs()
    tried = near * 2 ** (torch.arange(-50, 50.5, 0.5, dtype=torch.float64) / 1200)
    bins = (tried[:, None] * torch.arange(1, 9) * size / sample_rate).round().long()
    found = torch.where(bins < len(spectrum), spectrum[bins.clamp_max(len(spectrum) - 1)], 0.0).sum(1)
    return float(tried[int(found.argmax())]) if float(found.amax()) > 0 else near


def _one_mono(audio: Mono) -> Tensor:
    x = _mono(audio)
    if x.ndim != 1:
        raise ShapeError(f"the pitch of one mono sound (time,) at a time, not {tuple(x.shape)}; mix channels with audio.mean(0)")
    return x


def _pitch_frames(x: Tensor, *, size: int, sample_rate: int) -> Tensor | None:
    """Up to 24 frames `(frames, size)` of the stretch after the peak within 25 dB of it; None for silence or too short a sound."""
    if len(x) < size or float(x.abs().amax()) == 0:
        return None
    hop = max(1, sample_rate // 100)
    frames = x.unfold(0, size, hop)
    frames = frames - frames.mean(dim=1, keepdim=True)
    level = frames.square().mean(dim=1)
    loud = torch.nonzero(level >= level.amax() * 10 ** (-2.5))[:, 0]
    # The attack itself is rarely periodic: begin after it when there is enough sound left.
    rest = loud[loud >= int(level.argmax()) + round(0.03 * sample_rate / hop)]
    chosen = rest if len(rest) >= 3 else loud
    if len(chosen) > 24:
        chosen = chosen[torch.linspace(0, len(chosen) - 1, 24).round().long()]
    return frames[chosen]


def _periods(frames: Tensor, *, shortest: int, longest: int) -> tuple[Tensor, Tensor]:
    """Period in samples and normalised difference (0: periodic, 1: noise) of `frames (frames, 2 * longest)`, two `(frames,)`."""
    size = frames.shape[1]
    window = size - longest
    n = _fast_size(size + window)
    spectrum = torch.fft.rfft(frames, n=n)
    start = torch.fft.rfft(frames[:, :window], n=n)
    correlation = torch.fft.irfft(spectrum * start.conj(), n=n)[:, :longest]
    power = torch.nn.functional.pad(frames.square().cumsum(dim=1), (1, 0))
    moving = power[:, window : window + longest] - power[:, :longest]
    difference = (moving[:, :1] + moving - 2 * correlation).clamp_min(0)
    lag = torch.arange(longest, dtype=frames.dtype, device=frames.device)
    normal = difference * lag / difference.cumsum(dim=1).clamp_min(1e-30)
    normal[:, 0] = 1.0
    normal = torch.where(difference.sum(dim=1, keepdim=True) > 0, normal, 1.0)
    inner = normal[:, 1:-1]
    dips = (inner <= normal[:, :-2]) & (inner <= normal[:, 2:])
    dips[:, : max(0, shortest - 1)] = False
    value = torch.where(dips, inner, 2.0)
    best = value.amin(dim=1, keepdim=True)
    # The first dip nearly as deep as the deepest: multiples of the period dip as well.
    at = (dips & (value <= (best + 0.05).clamp_min(0.1))).int().argmax(dim=1) + 1
    left, here, right = (normal.gather(1, (at + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = (left - 2 * here + right).clamp_min(1e-12)
    shift = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    found = best[:, 0] < 2.0
    return torch.where(found, at + shift, float(longest)), torch.where(found, here, 1.0)


def note_name(pitch: float, *, hz: bool = False) -> str:
    """Name of the nearest note, such as `A4`; middle C (MIDI 60) is `C4`.

    pitch: a MIDI number, or a frequency in Hz with `hz=True` (A4 = 440). Raises ConfigError.
    """
    number = float(pitch)
    if not math.isfinite(number) or (hz and number <= 0):
        raise ConfigError(f"pitch is {pitch}, allowed are MIDI numbers, or frequencies over 0 Hz with hz=True")
    if hz:
        number = 69 + 12 * math.log2(number / 440)
    nearest = math.floor(number + 0.5)
    return f"{_NAMES[nearest % 12]}{nearest // 12 - 1}"


def _spectrum(audio: Mono) -> Tensor:
    """Power spectrum of a whole sound, `(..., time) -> (..., bins)`."""
    x = _mono(audio)
    return torch.fft.rfft(x, n=_fast_size(max(2, x.shape[-1]))).abs().square()


def _mono(audio: Mono) -> Tensor:
    x = torch.as_tensor(audio)
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ShapeError(f"mono audio (..., time) with at least one sample is needed, not {tuple(x.shape)}")
    return x.detach() if x.dtype in (torch.float32, torch.float64) else x.detach().float()


def _is_mps(audio: Mono) -> bool:
    return isinstance(audio, Tensor) and audio.device.type == "mps"  # no float64 there


def _fast_size(least: int) -> int:
    """The smallest size from `least` up with factors 2, 3 and 5 alone: quick to transform."""
    best = 1 << max(0, least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << max(0, (rest - 1).bit_length()))
            three *= 3
        five *= 5
    return best
