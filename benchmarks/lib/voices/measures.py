"""Measures of a converted piece: pitch and loudness against the piece, and timbre against recordings of the target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from lib.voices.beginnings import Curves
from timbrespace.audio.embedding import embedding
from timbrespace.voices.frames import RATE, Values, k_weight

_HOP = 512  # samples, of the curves
_AUDIBLE_DB = 45.0  # under the loudest: louder windows and frames count
_WINDOW_SECONDS, _STEP_SECONDS = 1.0, 0.5
_MFCC = 20


class Course(NamedTuple):
    """What is kept of a piece. cents: median error of the pitch; off: share of frames off by over 50 cents. rms, k_weighted, a_weighted:
    correlations of the levels in dB, as they are and as BS.1770 and IEC 61672 weight them."""

    cents: float
    off: float
    rms: float
    k_weighted: float
    a_weighted: float


def course(piece: Values, result: Values, one: Curves, other: Curves) -> Course:
    """Returns how well a result `(time,)` keeps pitch and loudness of the piece, both at RATE, with the curves of both."""
    count = min(len(piece), len(result))
    frames = min(len(one.pitch), len(other.pitch), len(one.level), len(other.level))
    pitches, heard = (one.pitch[:frames], other.pitch[:frames]), one.level[:frames] > one.level.max() - _AUDIBLE_DB
    both = np.isfinite(pitches[0]) & np.isfinite(pitches[1]) & heard
    cents = 100 * np.abs(pitches[1][both] - pitches[0][both])
    levels = [_levels(wave[:count]) for wave in (piece, result)]
    loud = levels[0][0] > levels[0][0].max() - _AUDIBLE_DB
    alike = [float(np.corrcoef(here[loud], there[loud])[0, 1]) for here, there in zip(*levels, strict=True)]
    return Course(float(np.median(cents)), float((cents > 50).mean()), *alike)


def _levels(wave: Values) -> list[Values]:
    """Levels over time in dB: of the RMS, and weighted by K and A."""
    import librosa

    power = np.square(np.abs(librosa.stft(wave.astype(np.float32), n_fft=2_048, hop_length=_HOP))).astype(np.float64)
    hertz = np.maximum(librosa.fft_frequencies(sr=RATE, n_fft=2_048), 1.0)
    weights = (np.ones_like(hertz), k_weight(hertz), 10 ** (librosa.A_weighting(hertz) / 10))
    return [10 * np.log10(weight @ power + 1e-6) for weight in weights]


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
