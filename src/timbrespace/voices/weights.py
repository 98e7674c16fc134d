"""Weights of the instruments in a voice, also moving over time, as texts and as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.voices.frames import HOP, RATE, Values

LARGEST = 2.0  # weight; over 1 and under 0 a voice goes beyond an instrument, away from the others


@dataclass(frozen=True)
class Curve:
    """Weights at times, linear between them: `[(seconds, {name: weight}), …]`. One entry: the same weights throughout."""

    points: tuple[tuple[float, dict[str, float]], ...]

    def values(self, names: Sequence[str], frames: int, *, first: int = 0) -> Values:
        """Returns the weights of `frames` frames from number `first` on `(frames, names)`."""
        return self.at(np.arange(first, first + frames) * HOP / RATE, names)

    def at(self, seconds: Values, names: Sequence[str]) -> Values:
        """Returns the weights at times in s `(times,)`, before the first point those of it: `(times, names)`."""
        times = np.array([time for time, _ in self.points])
        return np.stack([np.interp(seconds, times, [weights.get(name, 0.0) for _, weights in self.points]) for name in names], axis=1)

    def text(self) -> str:
        """Returns the curve as `read_curve` reads it; of one point as `read_weights` does."""
        parts = [(f"{_exact(time)}:" if len(self.points) > 1 else "") + weights_text(weights) for time, weights in self.points]
        return "; ".join(parts)


def weights_text(weights: Mapping[str, float]) -> str:
    """Returns weights as `read_weights` reads them."""
    return ",".join(f"{name}={_exact(weight)}" for name, weight in weights.items())


def _exact(number: float) -> str:
    """The shortest text that is read as the same number: recipes make the same samples again."""
    return repr(float(number)).removesuffix(".0")


def read_weights(text: str, names: Sequence[str]) -> dict[str, float]:
    """Returns the weights of `violin=0.5,flute=0.5`, scaled so that their sum is 1; a name alone has the weight 1.

    Raises ConfigError for unknown names, for texts that are no numbers or beyond LARGEST, and for a sum of 0 or less.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = (one.strip() for one in part.partition("="))
        if name not in names:
            raise ConfigError(f"there is no voice {name!r}; the file has {', '.join(names)}")
        if name in weights:
            raise ConfigError(f"{name} is given twice in {text!r}")
        try:
            weights[name] = float(value) if value else 1.0
        except ValueError:
            raise ConfigError(f"the weight of {name} is {value!r}, give a number: {name}=0.5") from None
    return checked(weights, names)


def checked(weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Returns weights scaled so that their sum is 1. Raises ConfigError as `read_weights`."""
    for name, weight in weights.items():
        if name not in names:
            raise ConfigError(f"there is no voice {name!r}; the file has {', '.join(names)}")
        if not math.isfinite(weight) or abs(weight) > 100:
            raise ConfigError(f"the weight of {name} is {weight}, give a number such as 0.5")
    total = sum(weights.values())
    if not total > 1e-6:
        raise ConfigError(f"the weights {weights_text(weights) or '(none)'} have the sum {total:g}; give one over 0, such as {names[0]}=1")
    total = 1.0 if abs(total - 1) < 1e-9 else total  # what was scaled before stays as it is
    scaled = {name: float(weight) / total for name, weight in weights.items()}
    for name, weight in scaled.items():
        if not abs(weight) <= LARGEST:
            raise ConfigError(f"{name} has {weight:g} of the whole, allowed is -{LARGEST:g} to {LARGEST:g}")
    return scaled


def read_curve(text: str, names: Sequence[str]) -> Curve:
    """Returns the curve of `0:violin=1; 10:flute=1`: weights at times in s, separated by semicolons. Raises ConfigError."""
    points: list[tuple[float, dict[str, float]]] = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        when, colon, weights = part.partition(":")
        try:
            time = float(when)
        except ValueError:
            time = math.nan
        if not colon or not math.isfinite(time) or time < 0:
            raise ConfigError(f"{part!r} is no point of a curve; give SECONDS:WEIGHTS, such as 0:{names[0]}=1; 10:{names[-1]}=1")
        if points and time <= points[-1][0]:
            raise ConfigError(f"the times of a curve must rise, {time:g} s follows {points[-1][0]:g} s")
        points.append((time, read_weights(weights, names)))
    if not points:
        raise ConfigError(f"the curve is empty; give SECONDS:WEIGHTS, such as 0:{names[0]}=1; 10:{names[-1]}=1")
    return Curve(tuple(points))
