"""Kinds: a classifier that learned the categories from real sounds judges the new ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.parts.likeness import wilson
from timbrespace.evaluation.parts.sounds import RealSound, points_of
from timbrespace.instrument import Instrument
from timbrespace.synthesis.sound import Sound

_FEWEST = 5  # real sounds of a category that is judged
_FOLDS = 5
_MOST = 3_000  # real sounds that the classifier learns


def measure_kinds(instrument: Instrument, made: list[Sound], real: list[RealSound], *, seed: int) -> dict[str, Any]:
    """Returns how often a classifier gives new sounds the category that they were made as, and real sounds their own.

    An RBF support vector machine on the standardised features of `audio.embedding`. It learns the training sounds that the instrument
    file holds and is tried on `real`, sounds that were not learned; of a stripped instrument it learns `real` in five folds.
    """
    learned, labels = _learned(instrument)
    judged = [one for one in real if one.category is not None]
    points = points_of(judged, instrument).numpy() if judged else np.zeros((0, 68))
    own = [str(one.category) for one in judged]
    crossed = len(learned) == 0
    if crossed:
        learned, labels = points, own
    kept = {name for name, count in Counter(labels).items() if count >= _FEWEST}
    if len(kept) < 2:
        return {"not_measured": f"fewer than two categories have {_FEWEST} real sounds or more"}
    rows = [k for k, label in enumerate(labels) if label in kept]
    learned, labels = learned[rows], [labels[k] for k in rows]
    new = [sound for sound in made if sound.category in kept]
    if not new:
        return {"not_measured": "no new sound has a category that the real sounds have"}
    classifier = category_judge()
    found: dict[str, Any] = {"categories": sorted(kept), "chance": max(Counter(labels).values()) / len(labels)}
    if crossed:
        from sklearn.model_selection import cross_val_predict

        folds = min(_FOLDS, *Counter(labels).values())
        guessed, truth = list(cross_val_predict(classifier, learned, labels, cv=folds)), labels
    classifier.fit(learned, labels)
    if not crossed:
        tried = [k for k, label in enumerate(own) if label in kept]
        guessed = list(classifier.predict(points[tried])) if tried else []
        truth = [own[k] for k in tried]
    judgement = list(classifier.predict(embedding([one.audio for one in new], sample_rate=instrument.sample_rate).numpy()))
    asked = [str(one.category) for one in new]
    found |= {"real": _scores(truth, guessed) if truth else None, "new": _scores(asked, judgement)}
    found["confused"] = [
        {"asked": a, "judged": b, "sounds": n} for (a, b), n in Counter(zip(asked, judgement, strict=True)).most_common() if a != b
    ][:8]
    return found


def _learned(instrument: Instrument) -> tuple[np.ndarray, list[str]]:
    clips = instrument.contents.clips
    if clips is None:
        return np.zeros((0, 68)), []
    rows = [k for k, category in enumerate(clips.categories) if category is not None]
    rows = rows if len(rows) <= _MOST else [rows[k * len(rows) // _MOST] for k in range(_MOST)]
    return clips.embeddings[rows].numpy(), [str(clips.categories[k]) for k in rows]


def category_judge() -> Any:
    """Returns the classifier of categories, not fitted: an RBF support vector machine on standardised features, classes balanced."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=3.0, class_weight="balanced"))


def _scores(truth: list[str], guessed: list[str]) -> dict[str, Any]:
    """Share that is right with its interval, mean of the shares of the categories, and each category's share."""
    right = [a == b for a, b in zip(truth, guessed, strict=True)]
    groups: dict[str, list[bool]] = {}
    for name, one in zip(truth, right, strict=True):
        groups.setdefault(name, []).append(one)
    shares = {name: {"share": float(np.mean(one)), "sounds": len(one)} for name, one in sorted(groups.items())}
    accuracy = float(np.mean(right))
    balanced = float(np.mean([one["share"] for one in shares.values()]))
    return {
        "accuracy": accuracy,
        "interval": wilson(accuracy, len(right)),
        "balanced": balanced,
        "sounds": len(right),
        "categories": shares,
    }
