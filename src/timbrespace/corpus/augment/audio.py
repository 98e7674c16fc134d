"""Applies a `Variation` to audio. Audio is `(time, channels)` float32; all channels are treated equally.

Silence stays silence. Any length from one sample is possible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from timbrespace.audio import filters
from timbrespace.audio.time_stretch import stretch
from timbrespace.contracts import ConfigError
from timbrespace.corpus.augment.draw import Bell, Variation

Wave = NDArray[np.float32]

LONGEST_CHANGE = 24.0  # semitones
_SILENCE = 1e-4  # -80 dB of the peak: where a sound ends
_HIGHEST = 0.45  # of the sample rate: the highest centre of an equaliser band
_FADE_S = 0.005  # at both ends of noise


def vary_audio(audio: Wave, variation: Variation, *, sample_rate: int, partner: Wave | None = None) -> Wave:
    """The varied sound: `(time, channels) -> (new time, channels)`, with the same peak except for `gain_db`, cut 80 dB below it.

    partner: `(time, channels)`, required if the variation has one. sample_rate: Hz, of both. Raises ValueError if the partner is
    missing, ConfigError for values out of range.
    """
    varied = reverse(audio) if variation.reverse else audio
    varied = shift(varied, variation.semitones)
    varied = transpose(varied, variation.transpose, sample_rate=sample_rate)
    varied = stretch(varied, variation.stretch, sample_rate=sample_rate)
    if variation.partner is not None:
        if partner is None:
            raise ValueError("the variation mixes in a partner, but none was given")
        varied = mix(varied, gain(shift(partner, variation.partner_semitones), variation.partner_db))
    varied = tilt(varied, variation.tilt)
    varied = equalise(varied, variation.bells, sample_rate=sample_rate)
    varied = decay(varied, variation.decay, sample_rate=sample_rate)
    before, after = float(np.abs(audio).max(initial=0)), np.abs(varied).max(1)
    peak = float(after.max(initial=0))
    if not peak:
        return audio
    varied = varied[: len(after) - int(np.argmax(after[::-1] > _SILENCE * peak))]
    if variation.noise_db is not None:
        varied = add_noise(varied, variation.noise_db, pink=variation.noise_pink, seed=variation.noise_seed, sample_rate=sample_rate)
        peak = float(np.abs(varied).max(initial=0))
    return gain(np.asarray(varied * np.float32(before / peak), dtype=np.float32), variation.gain_db)


def reverse(audio: Wave) -> Wave:
    """The sound backwards."""
    return np.ascontiguousarray(audio[::-1])


def gain(audio: Wave, decibels: float) -> Wave:
    """The sound with a gain in dB."""
    return np.asarray(audio * np.float32(10 ** (decibels / 20)), dtype=np.float32) if decibels else audio


def shift(audio: Wave, semitones: float) -> Wave:
    """The sound with pitch and speed changed, like a tape: `(time, channels) -> (about time / 2^(semitones / 12), channels)`."""
    if not semitones or len(audio) < 2:
        return audio
    if not abs(semitones) <= LONGEST_CHANGE:
        raise ConfigError(f"semitones is {semitones}, allowed is -{LONGEST_CHANGE:g} to {LONGEST_CHANGE:g}")
    shifted = np.asarray(soxr.resample(audio, 2 ** (semitones / 12), 1.0, quality="LQ"), dtype=np.float32)
    return shifted if len(shifted) else audio


def transpose(audio: Wave, semitones: float, *, sample_rate: int) -> Wave:
    """The sound at another pitch and of exactly the same length: stretched, then resampled."""
    if not semitones or not len(audio):
        return audio
    if not abs(semitones) <= LONGEST_CHANGE:
        raise ConfigError(f"transpose is {semitones}, allowed is -{LONGEST_CHANGE:g} to {LONGEST_CHANGE:g} semitones")
    moved = shift(stretch(audio, 2 ** (semitones / 12), sample_rate=sample_rate), semitones)[: len(audio)]
    return np.pad(moved, ((0, len(audio) - len(moved)), (0, 0)))


def mix(audio: Wave, other: Wave) -> Wave:
    """The sum of two sounds with a common start, as long as the longer one."""
    longer, shorter = (audio, other) if len(audio) >= len(other) else (other, audio)
    mixed = longer.copy()
    mixed[: len(shorter)] += shorter
    return mixed


def tilt(audio: Wave, coefficient: float) -> Wave:
    """The sound after the filter 1 - coefficient / z: above 0 brighter, below 0 darker."""
    if not coefficient:
        return audio
    tilted = audio.copy()
    tilted[1:] -= np.float32(coefficient) * audio[:-1]
    return tilted


def equalise(audio: Wave, bells: Sequence[Bell], *, sample_rate: int) -> Wave:
    """The sound after peaking filters in series, see `bell_sections`."""
    if not bells or not len(audio):
        return audio
    sections = np.repeat(bell_sections(bells, sample_rate=sample_rate)[None], audio.shape[1], axis=0)
    return np.ascontiguousarray(filters.run(audio.T, sections).T, dtype=np.float32)


def bell_sections(bells: Sequence[Bell], *, sample_rate: float) -> NDArray[np.float64]:
    """Second-order sections `(bells, 6)` of the bands; centres are limited to 0.45 of the sample rate."""
    made = [
        filters.biquad("peak", min(bell.hertz, _HIGHEST * sample_rate), bell.q, sample_rate=sample_rate, gain_db=bell.gain_db)
        for bell in bells
    ]
    return np.concatenate(made, axis=-2)


def decay(audio: Wave, decibels: float, *, sample_rate: int) -> Wave:
    """The sound times an exponential envelope that falls by `decibels` a second; below 0 it rises."""
    if not decibels:
        return audio
    seconds = np.arange(len(audio), dtype=np.float32) / sample_rate
    return np.asarray(audio * np.float32(10) ** (-np.float32(decibels) / 20 * seconds)[:, None], dtype=np.float32)


def add_noise(audio: Wave, decibels: float, *, pink: bool = False, seed: int = 0, sample_rate: int) -> Wave:
    """The sound plus white or pink noise, whose power over all samples and channels is exactly `decibels` below that of the sound.

    Channels have independent noise. It fades in and out over 5 ms, or a quarter of a shorter sound; below 20 Hz pink noise is white.
    """
    power = float(np.square(audio, dtype=np.float64).mean()) if len(audio) else 0.0
    if not power:
        return audio
    noise = np.random.default_rng(seed).standard_normal((audio.shape[1], len(audio)), dtype=np.float32)
    if pink:
        hertz = fft.rfftfreq(len(audio), 1 / sample_rate).astype(np.float32)
        noise = fft.irfft(fft.rfft(noise) / np.sqrt(np.maximum(hertz, 20.0)), len(audio))
    fade = min(len(audio) // 4, round(_FADE_S * sample_rate))
    if fade:
        ramp = (np.arange(fade, dtype=np.float32) + 0.5) / fade
        noise[:, :fade] *= ramp
        noise[:, -fade:] *= ramp[::-1]
    noise_power = float(np.square(noise, dtype=np.float64).mean())
    return np.asarray(audio + (noise * np.sqrt(power / max(noise_power, 1e-30)) * 10 ** (-decibels / 20)).T, dtype=np.float32)
