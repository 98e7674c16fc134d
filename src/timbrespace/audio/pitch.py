"""Pitch of a sound: conversion between Hz and MIDI numbers, estimation, refinement to half a cent.

MIDI number 69 is A4, 440 Hz; 60 is middle C, C4.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.arrays.notes import PITCHED, note_name
from timbrespace.audio.descriptors import Mono, as_mono, fft_size
from timbrespace.audio.pitch_estimation import estimate_hz, hz_to_midi
from timbrespace.contracts import ConfigError, ShapeError

__all__ = ["PITCHED", "estimate_pitch", "hz_to_midi", "inharmonicity", "midi_to_hz", "note_name", "refine_midi", "refine_pitch"]

_PARTIALS_SECONDS = 0.4  # s, of the spectrum in which partials are searched
_MOST_PARTIALS = 16

Number = TypeVar("Number", float, Tensor)


def midi_to_hz(midi: Number) -> Number:
    """Frequency in Hz of a MIDI number, a float or a tensor of any shape (equal temperament, A4 = 440 Hz)."""
    hz: Number = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    return hz


def refine_midi(clip: np.ndarray, rate: int, midi: float) -> float:
    """MIDI number of a clip `(channels, time)` at `rate` Hz whose pitch is within half a semitone of `midi`; see `refine_pitch`."""
    return hz_to_midi(refine_pitch(clip.mean(axis=0, dtype=np.float32), rate, near=midi_to_hz(midi)))


def estimate_pitch(audio: Mono, sample_rate: int, *, low: float = 40.0, high: float = 2500.0) -> tuple[float | None, float]:
    """Fundamental frequency of a mono sound `(time,)`: `(Hz or None, confidence 0 … 1)`; None for unpitched sounds.

    See `pitch_estimation.estimate_hz`, which it is for tensors. low, high: range of the search in Hz. Raises ShapeError, ConfigError.
    """
    return estimate_hz(_one_mono(audio).cpu().numpy(), sample_rate, low=low, high=high)


def refine_pitch(audio: Mono, sample_rate: int, *, near: float) -> float:
    """Fundamental frequency in Hz, to half a cent, of a mono sound `(time,)` whose pitch is within half a semitone of `near` Hz.

    The result maximises the summed amplitude of the first eight harmonics in the spectrum of the first second (Hann window, bins
    1/16 Hz apart, which is the resolution for a low tone without harmonics). Silence returns `near`. Raises ShapeError, ConfigError.
    """
    x = _one_mono(audio)
    if not 0 < near < sample_rate / 2:
        raise ConfigError(f"near is {near:g} Hz: allowed is above 0 and below {sample_rate / 2:g} Hz (rate / 2)")
    x = x[:sample_rate].double().cpu()
    size = 16 * fft_size(sample_rate)
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), periodic=False, dtype=x.dtype), n=size).abs()
    candidates = near * 2 ** (torch.arange(-50, 50.5, 0.5, dtype=torch.float64) / 1200)
    bins = (candidates[:, None] * torch.arange(1, 9) * size / sample_rate).round().long()
    strength = torch.where(bins < len(spectrum), spectrum[bins.clamp_max(len(spectrum) - 1)], 0.0).sum(1)
    return float(candidates[int(strength.argmax())]) if float(strength.amax()) > 0 else near


def inharmonicity(audio: Mono, sample_rate: int, *, near: float) -> float | None:
    """Mean distance of the partials of a mono sound `(time,)` from whole multiples of its fundamental, in % of it; None without partials.

    Of each multiple up to the 16th the strongest peak of the spectrum within half a fundamental of it counts with its energy (Peeters et
    al., The Timbre Toolbox, 2011), here with its distance and not twice that. The spectrum is that of the loudest 0.4 s (Hann). The
    fundamental is the lowest partial found, divided by its number. near: the fundamental in Hz, to some percent. Partials 40 dB under the
    strongest are left out. Raises ShapeError, ConfigError.
    """
    x = _one_mono(audio).double().cpu()
    if not 0 < near < sample_rate / 2:
        raise ConfigError(f"near is {near:g} Hz: allowed is above 0 and below {sample_rate / 2:g} Hz (rate / 2)")
    window = max(2, round(max(_PARTIALS_SECONDS, 6 / near) * sample_rate))
    if len(x) > window:  # from where most of the energy is
        total = torch.nn.functional.pad(x.square().cumsum(0), (1, 0))
        start = int((total[window:] - total[:-window]).argmax())
        x = x[start : start + window]
    size = 4 * fft_size(len(x))
    power = torch.fft.rfft(x * torch.hann_window(len(x), periodic=False, dtype=x.dtype), n=size).abs().square()
    scale = size / sample_rate  # bins a Hz
    found: list[tuple[int, float, float]] = []  # number, Hz, energy
    for number in range(1, _MOST_PARTIALS + 1):
        low, high = round((number - 0.5) * near * scale) + 1, round((number + 0.5) * near * scale)
        if low < 1 or high >= len(power) - 1:
            break
        at = low + int(power[low:high].argmax())
        if power[at] >= power[at - 1] and power[at] >= power[at + 1] and float(power[at]) > 0:  # not the flank of a peak outside
            left, here, right = (float(power[at + k].clamp_min(1e-300).log()) for k in (-1, 0, 1))
            bend = left - 2 * here + right
            shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
            found.append((number, (at + shift) / scale, float(power[at])))
    strongest = max((energy for _, _, energy in found), default=0.0)
    found = [one for one in found if one[2] >= strongest * 1e-4]
    if not found:
        return None
    fundamental = found[0][1] / found[0][0]
    distance = sum(energy * abs(hz - number * fundamental) for number, hz, energy in found) / sum(energy for *_, energy in found)
    return 100 * distance / fundamental


def _one_mono(audio: Mono) -> Tensor:
    x = as_mono(audio)
    if x.ndim != 1:
        raise ShapeError(f"the pitch of one mono sound (time,) at a time, not {tuple(x.shape)}; mix channels with audio.mean(0)")
    return x
