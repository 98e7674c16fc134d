"""How well copies match their originals: all five measures of `audio.distance` in one table, with its control rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio import distance
from timbrespace.audio.stft import istft, stft
from timbrespace.contracts import SAMPLE_RATE, ShapeError

Sounds = Tensor | Sequence[Tensor]
Table = dict[str, dict[str, dict[str, float]]]

# key → heading; smaller is better in every column.
MEASURES = {
    "log_mel_db": "log-mel error (dB)",
    "sound_db": "sound error (dB)",
    "attack_ms": "attack (ms)",
    "decay_percent": "decay (%)",
    "grain_db": "grain (dB)",
}
_N_FFT, _HOP = 1024, 256


def errors(original: Sounds, copy: Sounds, *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None) -> dict[str, Tensor]:
    """Every measure for every sound, `{key of MEASURES: (count,)}`; grain is NaN for originals without a noisy segment."""
    measures = {
        "log_mel_db": distance.log_mel_error,
        "sound_db": distance.sound_error,
        "attack_ms": distance.attack_error_ms,
        "decay_percent": distance.decay_error_percent,
        "grain_db": distance.grain_error,
    }
    found = {key: measure(original, copy, sample_rate=sample_rate, lengths=lengths) for key, measure in measures.items()}
    noisy = distance.noisy_share(original, sample_rate=sample_rate, lengths=lengths) > 0
    return found | {"grain_db": torch.where(noisy, found["grain_db"], torch.nan)}


def reconstruction_table(
    rows: Mapping[str, Sounds],
    originals: Sounds,
    *,
    sample_rate: int = SAMPLE_RATE,
    lengths: Tensor | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Table:
    """Mean over sounds with bootstrap 95 % intervals: `{row: {measure: {"mean", "low", "high", "median", "count"}}}`.

    rows: name → copies, each in the order of `originals`. Every row draws the same resamples of sounds, so rows compare fairly.
    lengths: true lengths `(batch,)` of padded originals, in samples. Raises ShapeError.
    """
    if not len(originals):
        raise ShapeError("there are no originals; a table needs at least one sound")
    table: Table = {}
    for name, copies in rows.items():
        found = errors(originals, copies, sample_rate=sample_rate, lengths=lengths)
        table[name] = {key: summary(values, resamples=resamples, seed=seed) for key, values in found.items()}
    return table


def summary(values: Tensor | np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, float]:
    """Mean, percentile bootstrap 95 % interval, median and count of `(count,)` values, without the NaN ones."""
    x = np.asarray(values.cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    x = x[~np.isnan(x)]
    if not len(x):
        return {"mean": np.nan, "low": np.nan, "high": np.nan, "median": np.nan, "count": 0}
    rng = np.random.default_rng(seed)
    # A few resamples at a time, so that large tables do not fill the memory.
    means = [x[rng.integers(len(x), size=(min(100, resamples - k), len(x)))].mean(axis=1) for k in range(0, resamples, 100)]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5]) if means else (np.nan, np.nan)
    return {"mean": float(x.mean()), "low": float(low), "high": float(high), "median": float(np.median(x)), "count": len(x)}


def markdown_table(table: Table, *, first: str = "copy") -> str:
    """The table as Markdown: a line a row, `mean (low–high)` in every cell, no trailing newline."""
    lines = [f"| {first} | " + " | ".join(MEASURES.values()) + " |", "|---|" + "---|" * len(MEASURES)]
    for name, figures in table.items():
        cells = (_cell(figures[key]) if key in figures else "–" for key in MEASURES)
        lines.append(f"| {name.replace('|', '/')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figure: dict[str, float]) -> str:
    if not figure["count"]:
        return "–"
    digits = 2 if max(abs(figure["mean"]), abs(figure["high"])) < 100 else 0
    return f"{figure['mean']:.{digits}f} ({figure['low']:.{digits}f}–{figure['high']:.{digits}f})"


def control_rows(
    originals: Sounds, training: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> dict[str, list[Tensor]]:
    """The rows that need no model: silence, the mean of the corpus, and the nearest training sound, in that order."""
    return {
        "silence": silent_copies(originals),
        "mean of the corpus": mean_copies(originals, training),
        "nearest training sound": nearest_copies(originals, training, sample_rate=sample_rate, lengths=lengths),
    }


def silent_copies(originals: Sounds) -> list[Tensor]:
    """A silent sound `(channels, time)` for every original."""
    return [torch.zeros_like(sound) for sound in originals]


def mean_copies(originals: Sounds, training: Sequence[Tensor], *, iterations: int = 32) -> list[Tensor]:
    """One and the same sound for every original: that of the mean log spectrogram of the training sounds, `(1, time)`.

    training: tensors `(channels, time)`, aligned at their onsets; each is brought to the same loudest cell and cut 80 dB
    below. The phase is found by Griffin–Lim from a fixed start. The result is as long as the longest original, 2 s at 44.1 kHz at most.
    """
    if not len(training):
        raise ShapeError("the mean of a corpus needs at least one training sound")
    time = min(max(sound.shape[-1] for sound in originals), 2 * SAMPLE_RATE)
    total = torch.zeros(())
    for sound in training:
        mono = sound.float().mean(dim=0)[:time]
        mono = torch.nn.functional.pad(mono, (0, time - len(mono)))
        level = 20 * torch.log10(stft(mono[None, None], n_fft=_N_FFT, hop=_HOP).abs().clamp_min(1e-15))
        level = (level - level.amax()).clamp_min(-80.0) if bool(mono.any()) else torch.full_like(level, -80.0)
        total = total + level
    level = total / len(training)
    magnitude = torch.where(level > -79.9, 10 ** (level / 20), 0.0)
    generator = torch.Generator().manual_seed(0)
    phase = torch.polar(torch.ones_like(magnitude), 2 * torch.pi * torch.rand(magnitude.shape, generator=generator))
    audio = istft(magnitude * phase, n_fft=_N_FFT, hop=_HOP, length=time)
    for _ in range(iterations):
        spectrum = stft(audio, n_fft=_N_FFT, hop=_HOP)
        audio = istft(magnitude * spectrum / spectrum.abs().clamp_min(1e-12), n_fft=_N_FFT, hop=_HOP, length=time)
    audio = audio[0] / audio.abs().amax().clamp_min(1e-12)
    return [audio for _ in range(len(originals))]


def nearest_copies(
    originals: Sounds, training: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE, lengths: Tensor | None = None
) -> list[Tensor]:
    """For every original the training sound `(channels, time)` nearest to it by `audio.distance.embedding`."""
    from timbrespace.evaluation.distribution import nearest

    if not len(training):
        raise ShapeError("the nearest training sound needs at least one training sound")
    wanted = distance.embedding(originals, lengths=lengths, sample_rate=sample_rate)
    index, _ = nearest(wanted, distance.embedding(training, sample_rate=sample_rate))
    return [training[int(i)] for i in index]
