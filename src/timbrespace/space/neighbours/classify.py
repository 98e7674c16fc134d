"""Classification: the category of sounds without a label, learned from the encoded sounds of the corpus.

Cross-validation chooses the features (`validate`). Where categories are kinds of drums from many kits, the latent holds more of the kit
than helps; where they are instruments with a pitch, it helps much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.space.neighbours.metric import FEWEST_OF_CATEGORY, discriminant, features_of, learnable, moving_features_of
from timbrespace.space.neighbours.sounds import SoundSet

TOO_FEW = f"a category is learned from {FEWEST_OF_CATEGORY} sounds or more, and two such categories are needed"


# What a classifier sees: embedding and latent, or the embedding and its movement in time.
FEATURES: dict[str, Callable[[SoundSet], Tensor]] = {"latent": features_of, "movement": moving_features_of}


@dataclass(frozen=True)
class Classification:
    """The category of a sound as its encoding tells it.

    confidence: probability of the category, 0 to 1. others: the next two categories with their probabilities. named: the category in its
    name, label or folder; None where there is none. path: its file, where known.
    """

    name: str
    category: str
    confidence: float
    others: tuple[tuple[str, float], ...]
    named: str | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Classifier:
    """A linear discriminant analysis, fitted to the sounds of known category.

    uses: the features, see `FEATURES`; centre, spread `(features,)`: of them. temperature: divides the log probabilities, so that a
    confidence is the share of sounds that are right, see `validate`; 1 as fitted.
    """

    fitted: Any
    centre: np.ndarray
    spread: np.ndarray
    temperature: float = 1.0
    uses: str = "latent"

    @property
    def categories(self) -> list[str]:
        """The categories that it knows, sorted."""
        return [str(name) for name in self.fitted.classes_]

    @classmethod
    def fit(cls, sounds: SoundSet, *, uses: str = "latent", temperature: float = 1.0, features: Tensor | None = None) -> Classifier:
        """Returns the classifier of labelled sounds. features `(n, features)`: in place of those that `uses` names.

        Raises ConfigError with fewer than two categories of three sounds.
        """
        known = learnable(sounds.categories)
        if len(known) < 2:
            raise ConfigError(f"the training sounds have {len(known)} categories that can be learned; {TOO_FEW}")
        rows = [row for row, category in enumerate(sounds.categories) if category in known]
        points = (FEATURES[uses](sounds) if features is None else features)[rows].numpy()
        centre, spread = points.mean(0), points.std(0)
        spread = np.where(spread > 1e-6 * spread.max(), spread, 1.0)
        fitted = discriminant().fit((points - centre) / spread, np.array([sounds.categories[row] for row in rows]))
        return cls(fitted, centre, spread, temperature, uses)

    def log_probabilities(self, features: Tensor) -> np.ndarray:
        """Returns log probabilities `(n, categories)` of features `(n, features)`, before the temperature."""
        return np.asarray(self.fitted.predict_log_proba((features.numpy() - self.centre) / self.spread).clip(-700, 0))

    def classify(self, sounds: SoundSet) -> list[Classification]:
        """Returns the likeliest category of each sound."""
        if not len(sounds):
            return []
        probabilities = softened(self.log_probabilities(FEATURES[self.uses](sounds)), self.temperature)
        out = []
        for row, values in enumerate(probabilities):
            order = np.argsort(-values, kind="stable")[:3]
            ranked = [(self.categories[k], round(float(values[k]), 3)) for k in order]
            out.append(Classification(sounds.names[row], *ranked[0], tuple(ranked[1:]), sounds.categories[row], sounds.paths[row]))
        return out


def softened(log_probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns probabilities `(n, categories)` of log probabilities divided by a temperature."""
    logits = log_probabilities / temperature
    values = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(values / values.sum(1, keepdims=True))
