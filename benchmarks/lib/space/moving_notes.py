"""How evenly a moving note goes: its pitch, and its spectrum by the number of the partial, so that a glide is no change of timbre."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_N_FFT, _FRAME = 4096, 2048
_MARGIN = 1.5  # semitones around both notes, in which the pitch is searched for
# In partials: eight single ones, then quarters of octaves.
_EDGES = np.concatenate([np.arange(8) + 0.5, 8.5 * 2 ** (np.arange(1, 24) / 4)])
_LEAST = 0.5  # semitones between two notes, from which on their pitch glides

Values = NDArray[np.float64]


class Note(NamedTuple):
    """pitch: MIDI numbers `(frames,)`; levels: dB `(1, bands, frames)`, in bands about partials of that pitch."""

    pitch: Values
    levels: Tensor


def follow(audio: Tensor, rate: int, between: tuple[float, float], *, hop: int) -> Note | None:
    """The pitch of a note `(time,)`, by librosa's pYIN, and its levels by partial; None without a clear pitch.

    between: MIDI numbers of the lower and the higher note.
    """
    import librosa

    wave = audio.numpy()
    low, high = (440 * 2 ** ((note - 69) / 12) for note in (between[0] - _MARGIN, between[1] + _MARGIN))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _, _ = librosa.pyin(wave, fmin=low, fmax=high, sr=rate, frame_length=_FRAME, hop_length=hop, resolution=0.05)
        power = np.abs(librosa.stft(wave, n_fft=_N_FFT, hop_length=hop)) ** 2
    clear = np.isfinite(found)
    if clear.sum() < 4:
        return None
    pitch = np.interp(np.arange(len(found)), np.flatnonzero(clear), 69 + 12 * np.log2(found[clear] / 440))
    count = min(power.shape[1], len(pitch))
    pitch, power = pitch[:count], power[:, :count]
    bins = len(power)
    summed = np.concatenate([np.zeros((1, count)), power.cumsum(0)])
    edges = _EDGES[:, None] * 440 * 2 ** ((pitch - 69) / 12) * (_N_FFT / rate)
    reached = np.stack([np.interp(np.minimum(edges[:, k] + 0.5, bins), np.arange(bins + 1), summed[:, k]) for k in range(count)], 1)
    inside = np.where(edges[1:] < bins - 1, np.diff(reached, axis=0), 0.0)
    return Note(pitch, torch.from_numpy(10 * np.log10(np.maximum(inside, 1e-12))).float()[None])


def glide(pitch: Values, *, blocks: int) -> float:
    """The largest step of the pitch `(frames,)` from block to block, over that of an even glide; NaN for notes of one pitch."""
    steps = np.array([part.mean() for part in np.array_split(pitch, blocks)])
    way = abs(float(steps[-1] - steps[0]))
    return float(np.abs(np.diff(steps)).max() / (way / (blocks - 1))) if way > _LEAST else float("nan")


def level_flux(levels: Tensor, *, blocks: int, floor_db: float) -> Tensor:
    """Root mean square difference of levels `(1, bands, frames)` from block to block, dB `(blocks - 1,)`."""
    levels = levels[0].clamp_min(float(levels.max()) - floor_db)
    means = torch.stack([part.mean(1) for part in levels.tensor_split(blocks, 1)], 1)
    return means.diff(dim=1).square().mean(0).sqrt()
