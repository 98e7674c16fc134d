"""Smoothness: morphs between real sounds beside plain cross-fades of the same sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.distance import log_mel_error
from timbrespace.audio.embedding import embedding
from timbrespace.contracts import TimbrespaceError
from timbrespace.evaluation.distribution import nearest
from timbrespace.evaluation.parts.budget import Budget, Steps
from timbrespace.evaluation.parts.sounds import RealSound, points_of
from timbrespace.instrument import Instrument

KEYS = ("evenness", "detour", "from_real_db")


def cross_fade(one: Tensor, other: Tensor, steps: int) -> list[Tensor]:
    """Returns `steps` mixes of two sounds `(channels, time)` from their onsets, weights from (1, 0) to (0, 1) in even steps."""
    time = max(one.shape[1], other.shape[1])
    a, b = (torch.nn.functional.pad(sound, (0, time - sound.shape[1])) for sound in (one, other))
    return [(1 - t) * a + t * b for t in torch.linspace(0, 1, steps).tolist()]


def path_figures(points: np.ndarray, real: np.ndarray | None) -> dict[str, float]:
    """Returns how a path `(steps, features)` goes: evenness, detour, and the distance of its inner points to real sounds.

    evenness: largest step over the mean step, 1 or more; 1 is a steady change. detour: length of the path over the distance of its ends, 1
    or more. from_real_db: median distance of the inner points to the nearest of `real`, dB; NaN without.
    """
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    ends = float(np.linalg.norm(points[-1] - points[0]))
    inner = points[1:-1]
    near = float(np.median(nearest(inner, real)[1])) if real is not None and len(inner) else np.nan
    even = float(lengths.max() / lengths.mean()) if lengths.mean() > 0 else np.nan
    return {"evenness": even, "detour": float(lengths.sum()) / ends if ends > 0 else np.nan, "from_real_db": near}


def measure_morphs(
    instrument: Instrument, sounds: Sequence[RealSound], *, budget: Budget, steps: Steps, seed: int
) -> tuple[dict[str, Any], list[tuple[str, list[Tensor], list[Tensor]]]]:
    """Returns the figures of morphs and of cross-fades between random pairs of sounds, means over pairs; and one pair as audio."""
    if len(sounds) < 2:
        return {"not_measured": "a morph needs two real sounds"}, []
    rng = np.random.default_rng(seed)
    pairs = [rng.choice(len(sounds), 2, replace=False).tolist() for _ in range(min(budget.pairs, len(sounds) * (len(sounds) - 1) // 2))]
    clips, rate = instrument.contents.clips, instrument.sample_rate
    real = clips.embeddings.numpy().astype(np.float64) if clips is not None else None
    if real is None and len(sounds) > 4:
        real = points_of(sounds, instrument).numpy().astype(np.float64)
    figures: dict[str, list[dict[str, float]]] = {"morph": [], "cross_fade": []}
    apart, paths = [], list[tuple[str, list[Tensor], list[Tensor]]]()
    for first, second in pairs:
        one, other = (sounds[k].audio[:, : instrument.longest or sounds[k].audio.shape[1]] for k in (first, second))
        try:
            made = [sound.audio for sound in instrument.morph([one, other], budget.steps)]
        except TimbrespaceError:
            continue
        faded = cross_fade(one, other, budget.steps)
        for name, path in (("morph", made), ("cross_fade", faded)):
            figures[name].append(path_figures(embedding(path, sample_rate=rate).double().numpy(), real))
        middle = budget.steps // 2
        apart.append(float(log_mel_error([faded[middle]], [made[middle]], sample_rate=rate)[0]))
        if not paths:
            paths.append((f"{sounds[first].name} → {sounds[second].name}", made, faded))
        steps.add(2 * budget.steps)
    if not apart:
        return {"not_measured": "no pair of sounds could be morphed"}, []
    means = {name: {key: _mean([row[key] for row in rows]) for key in KEYS} for name, rows in figures.items()}
    return {"pairs": len(apart), "steps": budget.steps, **means, "from_cross_fade_db": float(np.mean(apart))}, paths


def _mean(values: list[float]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else None
