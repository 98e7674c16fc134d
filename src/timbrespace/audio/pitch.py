"""Pitch of a sound: conversion between Hz and MIDI numbers, estimation, refinement to half a cent.

MIDI number 69 is A4, 440 Hz; 60 is middle C, C4.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.descriptors import Mono, as_mono, fft_size
from timbrespace.audio.pitch_estimation import estimate_hz, hz_to_midi
from timbrespace.contracts import ConfigError, ShapeError

PITCHED = 0.85  # the confidence from which a synthesised sound counts as a note
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

Number = TypeVar("Number", float, Tensor)


def midi_to_hz(midi: Number) -> Number:
    """Frequency in Hz of a MIDI number, a float or a tensor of any shape (equal temperament, A4 = 440 Hz)."""
    hz: Number = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    return hz


def note_name(pitch: float, *, hz: bool = False) -> str:
    """Name of the nearest note, such as `A4`; middle C (MIDI 60) is `C4`.

    pitch: a MIDI number, or a frequency in Hz with `hz=True`. Raises ConfigError.
    """
    number = float(pitch)
    if not math.isfinite(number) or (hz and number <= 0):
        raise ConfigError(f"pitch is {pitch}, allowed are MIDI numbers, or frequencies over 0 Hz with hz=True")
    nearest = math.floor((hz_to_midi(number) if hz else number) + 0.5)
    return f"{_NAMES[nearest % 12]}{nearest // 12 - 1}"


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


def _one_mono(audio: Mono) -> Tensor:
    x = as_mono(audio)
    if x.ndim != 1:
        raise ShapeError(f"the pitch of one mono sound (time,) at a time, not {tuple(x.shape)}; mix channels with audio.mean(0)")
    return x
