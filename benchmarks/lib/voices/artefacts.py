"""Artefacts of converted notes beside those of recorded ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from lib.voices.same_notes import Notes
from timbrespace.evaluation.artefacts import ARTEFACTS, metrics_per_sound
from timbrespace.voices.frames import HOP, RATE, Values

KEYS = ("tail_db", "linger_percent", "stutter_db", "high_flatness_db", "partial_cents", "partials_percent", "highs_db")
_SHORTEST = 0.2  # s, of a note
_BURST_DB, _BLOCK, _AROUND = 20.0, 0.002, 20  # over what is before and after; s; blocks


def artefact_heads() -> list[str]:
    """Returns the headings of the metrics."""
    return [*(ARTEFACTS[key] for key in KEYS), "bursts (per s)"]


def artefacts(wave: Values, notes: Notes) -> list[Values]:
    """Returns the metrics of KEYS of every note of a recording `(time,)`, from one start to the next, and its bursts per second."""
    starts = [start for start, *_ in notes]
    parts = [wave[round(a * RATE) : round(b * RATE)] for a, b in pairwise(starts) if b - a > _SHORTEST]
    found = metrics_per_sound([torch.from_numpy(np.asarray(part, np.float32))[None] for part in parts], sample_rate=RATE, hop=HOP)
    return [*(found[key] for key in KEYS), np.array([_bursts(wave)])]


def artefact_cells(made: list[Values], real: list[Values]) -> list[str]:
    """Returns a cell for each metric: mean of the converted notes, and mean and deviation of the recorded ones; * where it is beyond."""
    found = []
    for one, other in zip(made, real, strict=True):
        one, other = one[np.isfinite(one)], other[np.isfinite(other)]
        if not len(one) or not len(other):
            found.append("–")
            continue
        mean, middle, spread = one.mean(), other.mean(), other.std()
        mark = "*" if len(other) > 1 and abs(mean - middle) > spread else ""
        found.append(f"{mean:.1f}{mark} ({middle:.1f}" + (f" ± {spread:.1f})" if len(other) > 1 else ")"))
    return found


def _bursts(wave: Values) -> float:
    """Blocks of 2 ms a second that are 20 dB over those of 40 ms before and after, above 6 kHz: an attack is over what was before alone."""
    from scipy import signal

    bright = signal.sosfilt(signal.butter(6, 6_000, "highpass", fs=RATE, output="sos"), wave)
    size = round(_BLOCK * RATE)
    power = np.square(bright[: len(bright) // size * size]).reshape(-1, size).mean(1)
    level = 10 * np.log10(power + 1e-9)
    around = np.lib.stride_tricks.sliding_window_view(level, _AROUND)
    inner = level[_AROUND + 2 : -_AROUND - 2]
    before, after = np.median(around, axis=1)[: len(inner)], np.median(around, axis=1)[_AROUND + 5 :][: len(inner)]
    return float((inner > np.maximum(before, after) + _BURST_DB).sum() / (len(wave) / RATE))
