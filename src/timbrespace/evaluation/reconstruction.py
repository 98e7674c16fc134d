"""How well reconstructions match their originals: the five measures of `audio.distance` in one table. Its rows: `evaluation.rows`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio import distance
from timbrespace.contracts import SAMPLE_RATE, ShapeError

Sounds = Tensor | Sequence[Tensor]
Table = dict[str, dict[str, dict[str, float]]]

# key -> heading; smaller is better in every column.
MEASURES = {
    "log_mel_db": "log-mel error (dB)",
    "sound_db": "sound error (dB)",
    "attack_ms": "attack (ms)",
    "decay_percent": "decay (%)",
    "grain_db": "grain (dB)",
}


def errors(
    originals: Sounds, reconstructions: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> dict[str, Tensor]:
    """Returns every measure of every sound, `{key of MEASURES: (count,)}`; grain is NaN for originals without a noisy segment."""
    measures = {
        "log_mel_db": distance.log_mel_error,
        "sound_db": distance.sound_error,
        "attack_ms": distance.attack_error_ms,
        "decay_percent": distance.decay_error_percent,
        "grain_db": distance.grain_error,
    }
    values = {key: measure(originals, reconstructions, sample_rate=sample_rate, lengths=lengths) for key, measure in measures.items()}
    noisy = distance.noisy_share(originals, sample_rate=sample_rate, lengths=lengths) > 0
    return values | {"grain_db": torch.where(noisy, values["grain_db"], torch.nan)}


def reconstruction_table(
    rows: Mapping[str, Sounds],
    originals: Sounds,
    *,
    sample_rate: int = SAMPLE_RATE,
    lengths: Tensor | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Table:
    """Returns means over sounds with bootstrap 95 % intervals: `{row: {measure: {"mean", "low", "high", "median", "count"}}}`.

    rows: name -> reconstructions in the order of `originals`. Every row draws the same resamples of sounds, so that rows compare fairly.
    lengths: true lengths `(batch,)` of padded originals, in samples. Raises ShapeError.
    """
    if not len(originals):
        raise ShapeError("there are no originals; a table needs at least one sound")
    table: Table = {}
    for name, reconstructions in rows.items():
        measures = errors(originals, reconstructions, sample_rate=sample_rate, lengths=lengths)
        table[name] = {key: summary(values, resamples=resamples, seed=seed) for key, values in measures.items()}
    return table


def summary(values: Tensor | np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, float]:
    """Returns mean, percentile bootstrap 95 % interval, median and count of values `(count,)`, without NaN values."""
    x = np.asarray(values.cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    x = x[~np.isnan(x)]
    if not len(x):
        return {"mean": np.nan, "low": np.nan, "high": np.nan, "median": np.nan, "count": 0}
    rng = np.random.default_rng(seed)
    # A few resamples at a time bound the memory of large tables.
    means = [x[rng.integers(len(x), size=(min(100, resamples - k), len(x)))].mean(axis=1) for k in range(0, resamples, 100)]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5]) if means else (np.nan, np.nan)
    return {"mean": float(x.mean()), "low": float(low), "high": float(high), "median": float(np.median(x)), "count": len(x)}


def markdown_table(table: Table, *, first: str = "reconstruction") -> str:
    """Returns the table as Markdown: a line a row, `mean (low–high)` in every cell, no trailing newline. first: heading of the names."""
    lines = [f"| {first} | " + " | ".join(MEASURES.values()) + " |", "|---|" + "---|" * len(MEASURES)]
    for name, measures in table.items():
        cells = (_cell(measures[key]) if key in measures else "–" for key in MEASURES)
        lines.append(f"| {name.replace('|', '/')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: dict[str, float]) -> str:
    if not value["count"]:
        return "–"
    digits = 2 if max(abs(value["mean"]), abs(value["high"])) < 100 else 0
    return f"{value['mean']:.{digits}f} ({value['low']:.{digits}f}–{value['high']:.{digits}f})"
