"""The random source of one synthesised sound: draws its parameters and keeps them as its labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]


@dataclass
class ParameterSampler:
    """Draws the parameters of one sound and keeps them as its labels.

    rng: generator of the parameters. noise: generator of noise samples; there are two, so that the labels do not depend on the
    sample rate. rate: Hz.
    """

    rng: np.random.Generator
    noise: np.random.Generator
    rate: int
    labels: dict[str, float | str] = field(default_factory=dict)

    @classmethod
    def for_clip(cls, seed: int, index: int, rate: int, *, stream: int = 0) -> ParameterSampler:
        """The sampler of clip `index` of the corpus with this `seed`, independent of all other clips.

        stream: clips with the same seed and index in streams two apart are independent too.
        """
        return cls(np.random.default_rng([seed, index, stream]), np.random.default_rng([seed, index, stream + 1]), rate)

    def uniform(self, name: str, low: float, high: float) -> float:
        """A number uniform in [low, high], kept as the label `name`."""
        return self._keep(name, self.rng.uniform(low, high))

    def log_uniform(self, name: str, low: float, high: float) -> float:
        """A number log-uniform in [low, high], low > 0, kept as the label `name`."""
        return self._keep(name, float(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.uniform() < probability)

    def style(self, **weights: float) -> str:
        """One of the names, drawn by weight, kept as the label `style`."""
        names = list(weights)
        share = np.array([weights[name] for name in names])
        chosen = names[int(self.rng.choice(len(names), p=share / share.sum()))]
        self.labels["style"] = chosen
        return chosen

    def time(self, seconds: float) -> Wave:
        """The time of every sample of `seconds` s, in s: `(time,)`, at least one."""
        return np.arange(max(1, round(seconds * self.rate))) / self.rate

    def _keep(self, name: str, value: float) -> float:
        value = float(f"{value:.4g}")
        self.labels[name] = value
        return value
