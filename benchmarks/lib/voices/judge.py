"""How a converted piece is judged: its course against the piece's, a classifier of instruments, distances from recordings of the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lib.voices.measures import loud_windows, points, timbre
from timbrespace.evaluation.distribution import frechet_distance, two_sample_accuracy
from timbrespace.voices.frames import RATE, Values

Classifier = Callable[[Values], Values]

_HOP = 512  # samples, of the curves
_AUDIBLE_DB = 45.0  # under the loudest: louder frames count


@dataclass(frozen=True)
class Curves:
    """Pitch in Hz (NaN where there is none) and level in dB of frames, and times of onsets in s."""

    pitch: Values
    level: Values
    onsets: Values


def curves_of(wave: Values) -> Curves:
    """Returns the curves of a recording `(time,)` at RATE, by librosa's pyin, RMS and onset detection."""
    import librosa

    wave = wave.astype(np.float32)
    pitch = librosa.pyin(wave, fmin=60.0, fmax=2_000.0, sr=RATE, frame_length=2_048, hop_length=_HOP)[0]
    level = 20 * np.log10(librosa.feature.rms(y=wave, frame_length=2_048, hop_length=_HOP)[0] + 1e-6)
    return Curves(pitch, level, librosa.onset.onset_detect(y=wave, sr=RATE, hop_length=128, units="time", backtrack=False))


def kept(piece: Curves, result: Curves) -> dict[str, float]:
    """Returns what is kept of a piece: median error of the pitch in cents, shares in %, correlation of the levels.

    off: pitched frames of both that differ by over 50 cents. unpitched: pitched frames of the piece without a pitch in the result. onsets:
    those of the piece that are found within 20 ms.
    """
    count = min(len(piece.pitch), len(result.pitch))
    heard = piece.level[:count] > piece.level.max() - _AUDIBLE_DB
    here, there = np.isfinite(piece.pitch[:count]) & heard, np.isfinite(result.pitch[:count])
    cents = 1_200 * np.abs(np.log2(result.pitch[:count][here & there] / piece.pitch[:count][here & there]))
    near = [bool(len(result.onsets)) and float(np.abs(result.onsets - time).min()) <= 0.02 for time in piece.onsets]
    return {
        "cents": float(np.median(cents)) if len(cents) else float("nan"),
        "off": 100 * float((cents > 50).mean()) if len(cents) else float("nan"),
        "unpitched": 100 * float(1 - there[here].mean()),
        "onsets": 100 * float(np.mean(near)),
        "loudness": float(np.corrcoef(piece.level[:count][heard], result.level[:count][heard])[0, 1]),
    }


def classifier_of(recordings: list[Values]) -> Classifier:
    """Returns a function that gives the number of the instrument of each loud window of a recording."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = [timbre(loud_windows(one)) for one in recordings]
    labels = np.concatenate([np.full(len(one), number) for number, one in enumerate(features)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000)).fit(np.concatenate(features), labels)
    return lambda wave: model.predict(timbre(loud_windows(wave)))


def likeness(result: Values, target: list[Values]) -> tuple[float, float, float]:
    """Returns the Fréchet distance to the target's second piece over that of its first piece, and the two two-sample accuracies."""
    made, first, second = (points(loud_windows(one)) for one in (result, *target))
    count = min(map(len, (made, first, second)))
    made, first, second = made[:count], first[:count], second[:count]
    ratio = frechet_distance(made, second) / frechet_distance(first, second)
    return ratio, two_sample_accuracy(made, second), two_sample_accuracy(first, second)
