"""Whether notes begin in a result when they do in the piece, by three measures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lib.voices.same_notes import Notes
from timbrespace.voices.frames import RATE, Values

NEAR = 0.02  # s
_HOP, _WINDOW, _MELS, _LAG = 128, 1_024, 80, 4  # of the changes of the spectrum; frames that they are over
_ALONE = 0.03  # s on either side, in which a peak is the greatest
_OVER = 2.0  # times the median, of a peak
_AROUND = (-0.02, 0.1)  # s around the start of a note, in which its attack is
_PITCH_HOP = 256
_BEGIN, _END = -0.05, 0.2  # s around the start of a note, in which it takes its pitch and level
_CENTS, _DB = 50.0, 10.0  # from its pitch and under its level, where it has begun


class Beginnings(NamedTuple):
    """Shares of beginnings in the piece that the result has within NEAR.

    detected: the onsets of librosa's detector as it is. attacks: peaks of the change of the spectrum near the starts of the notes.
    notes: where a note has its pitch and its level. chance: attacks, with the result shifted by 0.3 to 3 s.
    """

    detected: float
    attacks: float
    notes: float
    chance: float


class Curves(NamedTuple):
    """What beginnings are read from: detected onsets and attacks in s, and pitch (MIDI numbers, NaN: none) and level (dB) over time."""

    onsets: Values
    attacks: Values
    pitch: Values
    level: Values


def curves(wave: Values) -> Curves:
    """Returns the curves of a recording `(time,)` at RATE."""
    import librosa

    wave = wave.astype(np.float32)
    hertz = librosa.pyin(wave, fmin=60.0, fmax=2_000.0, sr=RATE, frame_length=2_048, hop_length=_PITCH_HOP)[0]
    level = 20 * np.log10(librosa.feature.rms(y=wave, frame_length=1_024, hop_length=_PITCH_HOP)[0] + 1e-6)
    onsets = librosa.onset.onset_detect(y=wave, sr=RATE, hop_length=128, units="time", backtrack=False)
    return Curves(onsets, _attacks(wave), 69 + 12 * np.log2(hertz / 440), level)


def beginnings(piece: Curves, result: Curves, notes: Notes) -> Beginnings:
    """Returns how well a result keeps the beginnings of the notes of a piece."""
    low, high = _AROUND
    near = [piece.attacks[(piece.attacks > start + low) & (piece.attacks < start + high)] for start, *_ in notes]
    attacks = np.array([found[0] for found in near if len(found)])
    both = [(_begins(piece, start, pitch), _begins(result, start, pitch)) for start, _, pitch, _ in notes]
    begun = [abs(here - there) <= NEAR for here, there in both if np.isfinite(here)]
    chance = np.mean([_share(attacks + shift, result.attacks) for shift in np.linspace(0.3, 3.0, 20)])
    return Beginnings(_share(piece.onsets, result.onsets), _share(attacks, result.attacks), float(np.mean(begun)), float(chance))


def _share(wanted: Values, found: Values) -> float:
    return float(np.mean([np.abs(found - time).min() <= NEAR for time in wanted])) if len(found) and len(wanted) else 0.0


def _attacks(wave: Values) -> Values:
    """Peaks of the rise of the spectrum over 12 ms, against the greatest of neighbouring bands (Böck & Widmer 2013): vibrato is none."""
    import librosa
    from scipy.ndimage import maximum_filter1d

    power = librosa.feature.melspectrogram(
        y=np.pad(wave, (0, _WINDOW)), sr=RATE, n_fft=_WINDOW, hop_length=_HOP, fmin=60, fmax=14_000, n_mels=_MELS
    )
    level = 10 * np.log10(power + power.max() * 1e-6 + 1e-20)
    rise = np.maximum(level[:, _LAG:] - maximum_filter1d(level, 3, axis=0)[:, :-_LAG], 0.0).mean(0)
    rise = np.pad(rise, (_LAG // 2, _LAG - _LAG // 2))
    greatest = maximum_filter1d(rise, 2 * round(_ALONE * RATE / _HOP) + 1)
    moving = rise[rise > 1e-3]
    return np.flatnonzero((rise == greatest) & (rise > _OVER * (np.median(moving) if len(moving) else 1.0))) * _HOP / RATE


def _begins(found: Curves, start: float, pitch: int) -> float:
    """When a note has its pitch and its level in s; infinity if it has not."""
    first, last = (max(0, round((start + edge) * RATE / _PITCH_HOP)) for edge in (_BEGIN, _END))
    level, played = found.level[first:last], found.pitch[first:last]
    if not len(played):
        return float("inf")
    right = np.abs(played - pitch) * 100 < _CENTS
    if not right.any():
        return float("inf")
    begun = np.flatnonzero(right & (level[: len(right)] > level[: len(right)][right].max() - _DB))
    return float((first + begun[0]) * _PITCH_HOP / RATE) if len(begun) else float("inf")
