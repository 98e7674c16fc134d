"""Likeness: whether new sounds are distributed as real ones, how new and how varied they are, and their artefacts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.artefacts import ARTEFACTS, metrics_per_sound, variety
from timbrespace.evaluation.distribution import compare, density_coverage, frechet_distance, nearest
from timbrespace.evaluation.kernels import effective_number, mmd
from timbrespace.evaluation.new_sounds import stutter_hop
from timbrespace.evaluation.parts.budget import Budget
from timbrespace.evaluation.parts.sounds import RealSound, points_of
from timbrespace.evaluation.points import as_points
from timbrespace.instrument import Instrument
from timbrespace.synthesis.sound import Sound

FEWEST = 8  # sounds a side; with fewer a distance between distributions says nothing
_NEIGHBOURS = 5  # of density and coverage
_ALIKE_DB = 6.0  # scale of the kernel of the effective number: about the distance between takes of one kind
_KNOWN = 2_000  # training points compared with, at most


def measure_likeness(
    instrument: Instrument, made: list[Sound], real: list[RealSound], learned: list[RealSound], *, budget: Budget, seed: int
) -> dict[str, Any]:
    """Returns the distribution of new sounds against real ones that were not learned, beside real against real sounds.

    learned: training sounds, where the instrument file names none. Of few sounds there is only `not_measured`.
    """
    known = _known(instrument, learned)
    reference = as_points(points_of(real, instrument), "real") if real else np.zeros((0, 1))
    pool = reference if known is None else np.concatenate([reference.reshape(-1, known.shape[1]), known])
    n = min(len(made), len(reference), len(pool) // 2)
    if n < FEWEST:
        least = f"{FEWEST} new sounds and {FEWEST} real ones (twice as many where no training sound is known)"
        return {"not_measured": f"{len(made)} new and {len(reference)} real sounds are too few: at least {least} are needed"}
    fake = as_points(embedding([sound.audio for sound in made], sample_rate=instrument.sample_rate), "new")
    found: dict[str, Any] = dict(compare(fake, reference, training=known, count=n, seed=seed))
    rng = np.random.default_rng(seed)

    def draw(points: np.ndarray, count: int) -> np.ndarray:
        return points[rng.permutation(len(points))[:count]]

    halves = draw(pool, 2 * n)
    ours, theirs = draw(fake, n), draw(reference, n)
    k = min(_NEIGHBOURS, n - 1)
    found["density"], found["coverage"] = density_coverage(ours, theirs, neighbours=k)
    found["real_density"], found["real_coverage"] = density_coverage(halves[:n], halves[n:], neighbours=k)
    test, floor = (mmd(a, b, permutations=budget.permutations, seed=seed) for a, b in ((ours, theirs), (halves[:n], halves[n:])))
    found |= {"mmd": test.value, "mmd_p": test.p, "real_mmd": floor.value, "real_mmd_p": floor.p}
    found["effective_number"] = effective_number(ours, scale=_ALIKE_DB)
    found["real_effective_number"] = effective_number(theirs, scale=_ALIKE_DB)
    found["intervals"] = _intervals(found, fake, reference, pool, known, budget=budget, seed=seed)
    found["reference"], found["training_known"] = len(reference), known is not None
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in found.items()}


def measure_novelty(instrument: Instrument, made: list[Sound]) -> dict[str, Any]:
    """Returns how new the new sounds are by the instrument's own unit, with the copies by name; see `synthesis.novelty`."""
    if not made:
        return {"not_measured": "no new sounds were asked for"}
    if instrument.contents.clips is None:
        return {"not_measured": "the instrument was stripped of its training sounds"}
    copies = [{"sound": one.name, "of": one.nearest} for one in made if one.is_copy]
    values = np.array([one.novelty for one in made if one.novelty is not None])
    found: dict[str, Any] = {"sounds": len(made), "copies": len(copies), "copied": copies[:10]}
    if not len(values):
        return found | {"median": None, "reason": "the training sounds repeat, so novelty has no unit"}
    low, middle, high = (float(value) for value in np.percentile(values, [10, 50, 90]))
    return found | {"median": middle, "tenth": low, "ninetieth": high}


def measure_artefacts(instrument: Instrument, made: list[Sound], real: list[RealSound]) -> dict[str, Any]:
    """Returns the artefact metrics of new sounds beside real ones, see `artefacts`.

    off: their difference in deviations of the real sounds, None where fewer than 8 sounds a side have the metric. counts: new and real
    sounds that have it.
    """
    if min(len(made), len(real)) < 2:
        return {"not_measured": f"{len(made)} new and {len(real)} real sounds are too few: two a side are needed"}
    rate, hop = instrument.sample_rate, stutter_hop(instrument)
    sides = [one.audio for one in made], [one.audio[:, : instrument.contents.samples] for one in real]
    points = [embedding(sounds, sample_rate=rate) for sounds in sides]
    out: dict[str, Any] = {"variety": {"heading": ARTEFACTS["variety"], "new": variety(*points), "real": 1.0, "spread": None, "off": None}}
    new, true = (metrics_per_sound(sounds, sample_rate=rate, hop=hop) for sounds in sides)
    for key, one in new.items():
        a, b = (values[np.isfinite(values)] for values in (one, true[key]))
        found = {"new": float(a.mean()) if len(a) else None, "real": float(b.mean()) if len(b) else None}
        spread = float(b.std()) if len(b) else None
        off = float((a.mean() - b.mean()) / spread) if min(len(a), len(b)) >= FEWEST and spread else None
        out[key] = {"heading": ARTEFACTS[key], **found, "spread": spread, "off": off, "counts": [len(a), len(b)]}
    return out


def _known(instrument: Instrument, learned: list[RealSound]) -> np.ndarray | None:
    """Points of training sounds: of the instrument file, else of sounds that are known to be training sounds."""
    clips = instrument.contents.clips
    if clips is not None and len(clips.embeddings):
        points = as_points(clips.embeddings, "training")
        return points[np.linspace(0, len(points) - 1, _KNOWN).astype(int)] if len(points) > _KNOWN else points
    return as_points(points_of(learned, instrument), "training") if learned else None


def _intervals(
    found: dict[str, Any], fake: np.ndarray, real: np.ndarray, pool: np.ndarray, known: np.ndarray | None, *, budget: Budget, seed: int
) -> dict[str, list[float] | None]:
    """95 % intervals of the main figures.

    Fréchet ratio: the delete-half jackknife (Shao and Wu 1989), whose deviation over random halves is that of the whole. Shares:
    Wilson's. Novelty: percentiles of a bootstrap over new and over held-out sounds.
    """
    n, rng, out = int(found["n"]), np.random.default_rng(seed + 1), dict[str, list[float] | None]()
    half = n // 2
    ratios = []
    for _ in range(budget.draws if half >= FEWEST // 2 else 0):
        parts = [points[rng.permutation(len(points))[: (2 if points is pool else 1) * half]] for points in (fake, real, pool)]
        floor = frechet_distance(parts[2][:half], parts[2][half:])
        ratios.append(frechet_distance(parts[0], parts[1]) / floor if floor > 0 else math.nan)
    spread = float(np.nanstd(ratios)) if ratios else math.nan
    ratio = found["frechet_ratio"]
    out["frechet_ratio"] = [max(0.0, ratio - 1.96 * spread), ratio + 1.96 * spread] if math.isfinite(spread + ratio) else None
    for name, count in (("precision", n), ("recall", n), ("coverage", n), ("accuracy", 2 * n)):
        out[name] = wilson(found[name], count)
    out["novelty"] = None
    if known is not None:
        new, held = nearest(fake, known)[1], nearest(real, known)[1]
        rows = range(budget.resamples)
        values = [float(np.median(rng.choice(new, len(new)))) / max(float(np.median(rng.choice(held, len(held)))), 1e-9) for _ in rows]
        low, high = np.percentile(values, [2.5, 97.5])
        out["novelty"] = [float(low), float(high)] if found["novelty"] is not None and math.isfinite(found["novelty"]) else None
    return out


def wilson(share: float, count: int) -> list[float]:
    """Returns Wilson's 95 % interval of a share among `count` sounds."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * math.sqrt(max(0.0, share * (1 - share)) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return [max(0.0, middle - reach), min(1.0, middle + reach)]
