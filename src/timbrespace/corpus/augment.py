"""Variations of sounds for training. What to do is drawn apart from doing it, so that a seed replays any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

Wave = NDArray[np.float32]
_LONGEST_CHANGE = 5.0  # semitones, of pitch and speed together
_SILENCE = 1e-4  # -80 dB of the peak: where a sound ends


@dataclass(frozen=True)
class Variation:
    """What is done to a sound, in this order; the default leaves it as it is.

    semitones: pitch and speed together, as a sampler does. partner: index of a clip mixed in, at partner_db (dB) and shifted by
    partner_semitones. tilt: coefficient of a one-zero filter, above 0 brighter. decay: of an exponential envelope
    in dB a second, above 0 shorter.
    """

    semitones: float = 0.0
    partner: int | None = None
    partner_db: float = 0.0
    partner_semitones: float = 0.0
    tilt: float = 0.0
    decay: float = 0.0


def draw_variation(dice: np.random.Generator, *, clips: int) -> Variation:
    """A random variation of one of `clips` clips. The same number of draws whatever comes out, so that a stream stays aligned."""
    chance, value = dice.random(4), dice.random(6)
    mixed = clips > 1 and chance[1] < 0.4
    return Variation(
        semitones=float(4 * (2 * value[0] - 1)) if chance[0] < 0.8 else 0.0,
        partner=int(value[1] * clips) if mixed else None,
        partner_db=float(-18 * value[2]) if mixed else 0.0,
        partner_semitones=float(4 * (2 * value[3] - 1)) if mixed else 0.0,
        tilt=float(0.6 * (2 * value[4] - 1)) if chance[2] < 0.5 else 0.0,
        decay=float(-26 + 96 * value[5]) if chance[3] < 0.5 else 0.0,
    )


def vary_audio(audio: Wave, variation: Variation, *, sample_rate: int, partner: Wave | None = None) -> Wave:
    """`(time, channels) -> (other time, channels)`, peak as before; ends where it stays 80 dB under its peak.

    partner: `(time, channels)`, needed where the variation names one. sample_rate: Hz, of both.
    """
    varied = shift(audio, variation.semitones)
    if variation.partner is not None:
        if partner is None:
            raise ValueError("the variation mixes in a partner, none was given")
        other = shift(partner, variation.partner_semitones) * np.float32(10 ** (variation.partner_db / 20))
        longer, shorter = (varied, other) if len(varied) >= len(other) else (other, varied)
        varied = longer.copy()
        varied[: len(shorter)] += shorter
    if variation.tilt:
        tilted = varied.copy()
        tilted[1:] -= np.float32(variation.tilt) * varied[:-1]
        varied = tilted
    if variation.decay:
        seconds = np.arange(len(varied), dtype=np.float32) / sample_rate
        varied = np.asarray(varied * np.float32(10) ** (-np.float32(variation.decay) / 20 * seconds)[:, None], dtype=np.float32)
    before, after = float(np.abs(audio).max(initial=0)), np.abs(varied).max(1)
    peak = float(after.max(initial=0))
    if not peak:
        return audio
    end = len(after) - int(np.argmax(after[::-1] > _SILENCE * peak))
    return np.asarray(varied[:end] * np.float32(before / peak), dtype=np.float32)


def shift(audio: Wave, semitones: float) -> Wave:
    """Pitch and speed by `semitones`, like a tape: `(time, channels) -> (about time / 2^(semitones / 12), channels)`."""
    if not semitones or len(audio) < 2:
        return audio
    if abs(semitones) > _LONGEST_CHANGE:
        raise ValueError(f"semitones is {semitones}, allowed is -{_LONGEST_CHANGE:g} to {_LONGEST_CHANGE:g}")
    shifted = np.asarray(soxr.resample(audio, 2 ** (semitones / 12), 1.0, quality="LQ"), dtype=np.float32)
    return shifted if len(shifted) else audio
