"""Measures of a converted piece: pitch, onsets and loudness against the piece, and timbre against recordings of the target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from timbrespace.audio.embedding import embedding
from timbrespace.voices.frames import RATE, Values

_HOP = 512  # samples, of the curves
_AUDIBLE_DB = 45.0  # under the loudest: louder windows and frames count
_WINDOW_SECONDS, _STEP_SECONDS = 1.0, 0.5
_MFCC = 20


class Course(NamedTuple):
    """What is kept of a piece. cents: median error of the pitch; off: share of frames off by over 50 cents; onsets: share found within
    20 ms; loudness: correlation of the curves in dB."""

    cents: float
    off: float
    onsets: float
    loudness: float


def course(piece: Values, result: Values) -> Course:
    """Returns how well a result `(time,)` keeps the course of the piece, both at RATE, by librosa's pyin, onsets and RMS."""
    import librosa

    count = min(len(piece), len(result))
    piece, result = piece[:count].astype(np.float32), result[:count].astype(np.float32)
    pitches = [
        librosa.pyin(x, fmin=60.0, fmax=2_000.0, sr=RATE, frame_length=2_048, hop_length=_HOP)[0] for x in (piece, result)
    ]  # fmt: skip
    levels = [20 * np.log10(librosa.feature.rms(y=x, frame_length=2_048, hop_length=_HOP)[0] + 1e-6) for x in (piece, result)]
    both = np.isfinite(pitches[0]) & np.isfinite(pitches[1]) & (levels[0][: len(pitches[0])] > levels[0].max() - _AUDIBLE_DB)
    cents = 1_200 * np.abs(np.log2(pitches[1][both] / pitches[0][both]))
    heard = levels[0] > levels[0].max() - _AUDIBLE_DB
    found = [librosa.onset.onset_detect(y=x, sr=RATE, hop_length=128, units="time", backtrack=False) for x in (piece, result)]
    near = [bool(len(found[1])) and float(np.abs(found[1] - time).min()) <= 0.02 for time in found[0]]
    correlation = float(np.corrcoef(levels[0][heard], levels[1][heard])[0, 1])
    return Course(float(np.median(cents)), float((cents > 50).mean()), float(np.mean(near)), correlation)


def loud_windows(wave: Values) -> list[Values]:
    """Returns the windows of 1 s of a recording `(time,)`, 0.5 s apart, within 45 dB of the loudest."""
    size, step = round(_WINDOW_SECONDS * RATE), round(_STEP_SECONDS * RATE)
    found = [wave[start : start + size] for start in range(0, len(wave) - size + 1, step)]
    levels = np.array([10 * np.log10(np.mean(np.square(one, dtype=np.float64)) + 1e-12) for one in found])
    return [one for one, level in zip(found, levels, strict=True) if level > levels.max() - _AUDIBLE_DB]


def points(windows: list[Values]) -> Values:
    """Returns the embeddings of windows `(windows, dims)`, at one level each."""
    same = [one / (np.sqrt(np.mean(np.square(one, dtype=np.float64))) + 1e-9) * 0.1 for one in windows]
    return embedding(torch.from_numpy(np.stack(same).astype(np.float32))[:, None]).numpy()


def timbre(windows: list[Values]) -> Values:
    """Returns mean and deviation of the MFCCs of windows, without the first, `(windows, 2 * (n - 1))`."""
    import librosa

    found = []
    for one in windows:
        mfcc = librosa.feature.mfcc(y=one.astype(np.float32), sr=RATE, n_mfcc=_MFCC)[1:]
        found.append(np.concatenate([mfcc.mean(1), mfcc.std(1)]))
    return np.stack(found)
