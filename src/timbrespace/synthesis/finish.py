"""Finishing: prepares a rendered sound for a sampler. Removes DC, clicks at both ends and a silent tail, and sets the level.

Order: first the rate (resampling may overshoot), then the ends, then the level, so that no later step clips.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from timbrespace.audio.loudness import momentary_loudness
from timbrespace.contracts import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

Level = Literal["peak", "loudness", "keep"]

PEAK_DB, LOUDNESS_DB = -1.0, -16.0  # defaults: dBFS, LKFS of the loudest 0.4 s
CEILING_DB = -0.1  # dBFS: peak of a sound whose level would clip
SUBSONIC = 10.0  # Hz; the lowest kicks are above 30
TAIL_DB = -72.0  # of the peak: a tail below is cut
_RINGS = 6.0  # periods of a high-pass filter's cutoff, after which its response has decayed by 230 dB
ONSET_DB = -60.0  # of the peak: a first sample below is treated as zero
ONSET_SECONDS = 0.00025  # s: ramp before a sound that starts with a jump

Wave = NDArray[np.float64]


def finish(
    audio: Tensor, sample_rate: int, *, level: Level = "peak", target_db: float | None = None, out_rate: int | None = None,
    trim: bool = True, subsonics: bool = False,
) -> Tensor:  # fmt: skip
    """Returns one finished sound `(channels, new time)`, of the same type and device, at `out_rate` if given.

    audio: `(channels, time)`, any length ≥ 1, finite. DC offset and subsonics are removed by causal filters, so that nothing rings
    before the attack. The tail is cut where it stays 72 dB under the peak, and faded to exactly zero. A sound that starts with a
    jump gets a ramp of 0.25 ms *before* it; the samples of the attack do not change. Silence keeps its length.

    level: "peak" (target_db in dBFS, default -1), "loudness" (LKFS of the loudest 0.4 s, default -16; less where it would clip) or
    "keep" (less only where it would clip). trim: False leaves start and end where they are: no tail is cut, no ramp is put before, and
    only 3 ms are faded. subsonics: True keeps the offset and frequencies under 10 Hz, of a sound whose offset was removed already.
    Raises ShapeError, ConfigError.
    """
    import torch

    _check(audio)
    wave = finish_array(
        audio.detach().cpu().numpy(), sample_rate, level=level, target_db=target_db, out_rate=out_rate, trim=trim, subsonics=subsonics
    )
    return torch.from_numpy(wave).to(dtype=audio.dtype, device=audio.device)


def finish_array(
    audio: np.ndarray, sample_rate: int, *, level: Level = "peak", target_db: float | None = None, out_rate: int | None = None,
    trim: bool = True, subsonics: bool = False,
) -> Wave:  # fmt: skip
    """`finish` of an array `(channels, time)`; returns `(channels, new time)` in double precision. Raises ConfigError."""
    target, rate = check_target(sample_rate, level, target_db, out_rate), sample_rate
    if out_rate is not None and out_rate != sample_rate:
        from timbrespace.audio.resampling import resample_array

        audio, rate = resample_array(audio.astype(np.float32), sample_rate, out_rate), out_rate
    wave = audio.astype(np.float64)
    if not np.abs(wave).max(initial=0.0) > 0:
        return np.zeros_like(wave)
    wave = wave if subsonics else _without_subsonics(wave, rate)
    wave = _fade_out(_cut_tail(_start_at_zero(wave, rate)), rate) if trim else _fade_out(wave, rate, share=0.0)
    wave *= _gain(wave, rate, level, target)
    return wave


def set_level(
    audio: Tensor, sample_rate: int, *, level: Level | None = None, target_db: float | None = None, out_rate: int | None = None
) -> Tensor:
    """Returns one sound `(channels, new time)` at `out_rate` and with a level, and otherwise as it is: not trimmed, filtered or faded.

    level: as in `finish`; None: as it is. Raises ShapeError, ConfigError.
    """
    import torch

    _check(audio)
    target, rate = check_target(sample_rate, "keep" if level is None else level, target_db, out_rate), sample_rate
    if out_rate is not None and out_rate != sample_rate:
        from timbrespace.audio.resampling import resample

        audio, rate = resample(audio, sample_rate, out_rate), out_rate
    if level is None:
        return audio
    wave = audio.detach().cpu().double().numpy()
    return torch.from_numpy(wave * _gain(wave, rate, level, target)).to(dtype=audio.dtype, device=audio.device)


def _check(audio: Tensor) -> None:
    """Raises ShapeError for anything but a sound."""
    import torch

    if not isinstance(audio, torch.Tensor) or audio.ndim != 2 or not audio.is_floating_point() or 0 in audio.shape:
        found = f"{tuple(audio.shape)} of {audio.dtype}" if isinstance(audio, torch.Tensor) else type(audio).__name__
        raise ShapeError(f"a sound to finish must be a floating point tensor (channels, time) with at least one sample, not {found}")
    if not torch.isfinite(audio).all():
        raise ShapeError("a sound to finish holds NaN or infinite samples; the model that made it is broken or the input was")


def check_target(sample_rate: int, level: str, target_db: float | None, out_rate: int | None) -> float:
    """Returns the target in dB of options of `finish`. Raises ConfigError."""
    for name, rate in (("sample_rate", sample_rate), ("out_rate", out_rate if out_rate is not None else sample_rate)):
        if not 1000 <= rate <= 768_000:
            raise ConfigError(f"{name} is {rate}, allowed is 1000 to 768000 Hz")
    defaults = {"peak": PEAK_DB, "loudness": LOUDNESS_DB, "keep": 0.0}
    if level not in defaults:
        raise ConfigError(f"level is {level!r}, allowed is one of: {', '.join(defaults)}")
    target = defaults[level] if target_db is None else float(target_db)
    if not -100.0 <= target <= 0.0:  # also refuses NaN
        raise ConfigError(f"target_db is {target_db}, allowed is -100 to 0 dB")
    return target


def _without_subsonics(wave: Wave, rate: int) -> Wave:
    """A wave without its constant offset, estimated on the tail (where the sound has decayed), and without frequencies under 10 Hz."""
    size = wave.shape[-1]
    span = min(size, max(round(0.05 * rate), size // 4))
    if size >= 0.02 * rate:  # in less time an offset cannot be separated from the sound
        window = np.hanning(span + 2)[1:-1]
        wave = wave - (wave[:, -span:] * window).sum(axis=-1, keepdims=True) / window.sum()
    return high_pass(wave, rate, cutoff=SUBSONIC)


def high_pass(wave: Wave, rate: int, *, cutoff: float) -> Wave:
    """Causal second-order Butterworth high-pass filter by the bilinear transform: `(channels, time)` -> the same shape. cutoff: Hz.

    Applied as a frequency response over a length that includes all of its ringing. `scipy.signal` gives the same, but needs a second
    to import.
    """
    size, k = wave.shape[-1], math.tan(math.pi * cutoff / rate)
    rings = round(_RINGS / cutoff * rate)
    total = 1 << (size + rings - 1).bit_length()
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(total))
    below = (1 + math.sqrt(2) * k + k * k) + 2 * (k * k - 1) * delay + (1 - math.sqrt(2) * k + k * k) * delay**2
    return np.fft.irfft(np.fft.rfft(wave, total) * (1 - delay) ** 2 / below, total)[:, :size]


def _start_at_zero(wave: Wave, rate: int) -> Wave:
    """A wave that starts at zero: a short ramp is put before a sound that starts with a jump."""
    first = wave[:, :1]
    if np.abs(first).max() <= np.abs(wave).max() * 10 ** (ONSET_DB / 20):
        wave = wave.copy()
        wave[:, 0] = 0.0
        return wave
    count = max(2, round(ONSET_SECONDS * rate))
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)
    return np.concatenate([first * ramp, wave], axis=-1)


def _cut_tail(wave: Wave) -> Wave:
    """A wave cut after the last sample above -72 dB of the peak, in any channel."""
    loudest = np.abs(wave).max(axis=0)
    if not loudest.max() > 0:
        return wave
    last = int(np.flatnonzero(loudest > loudest.max() * 10 ** (TAIL_DB / 20))[-1])
    return wave[:, : last + 2]  # one sample more, to be the zero at the end


def _fade_out(wave: Wave, rate: int, *, share: float = 0.05) -> Wave:
    """A wave whose last twentieth (`share`; 3 to 60 ms, at most a third) fades to zero."""
    size = wave.shape[-1]
    count = max(1, int(min(max(share * size, 0.003 * rate), 0.06 * rate, size / 3)))
    wave = wave.copy()
    wave[:, size - count :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, count + 1) / count)
    wave[:, -1] = 0.0
    return wave


def _gain(wave: Wave, rate: int, level: str, target: float) -> float:
    """The factor that sets the level, with a peak of at most the ceiling."""
    peak = float(np.abs(wave).max())
    if not peak > 0:
        return 1.0
    if level == "peak":
        return 10 ** (target / 20) / peak
    ceiling = 10 ** (CEILING_DB / 20) / peak
    if level == "keep":
        return 1.0 if peak <= 1.0 else ceiling
    loudness = momentary_loudness(wave, rate)
    return min(ceiling, 10 ** ((target - loudness) / 20)) if math.isfinite(loudness) else 1.0
