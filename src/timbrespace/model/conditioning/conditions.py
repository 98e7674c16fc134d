"""What a decoder is told beside the latent: labels and figures of a sound, as numbers at the end of the latent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import ConfigError

LOGARITHMIC = frozenset({"brightness", "attack", "decay", "seconds"})  # heard in proportion: Hz and seconds
_BEYOND = 1.25  # of half a range, from its middle, that may still be asked for
_WAVES = 3  # of a figure, as the network sees it: 1/2, 1 and 2 turns over its range; more, and figures between known ones waver
_LEAST = 1e-6  # below any frequency or time, where logarithms are taken
FACTOR = 2 * _WAVES + 2  # numbers that a figure is spread into

Settings = Mapping[str, Sequence[str] | Sequence[float]]


class Condition(NamedTuple):
    """A label out of `labels`, or a figure between `low` and `high`. Its numbers are `start` to `start + size` among all."""

    name: str
    labels: tuple[str, ...]
    low: float
    high: float
    start: int

    @property
    def size(self) -> int:
        """A number a label, one of them 1; of a figure its place, -1…1 over the range, and 1. All 0: unknown."""
        return len(self.labels) or 2

    def place(self, value: Tensor) -> Tensor:
        """Figures to -1…1 over the range."""
        low, high = (_scaled(self.name, torch.tensor(limit, dtype=value.dtype)) for limit in (self.low, self.high))
        return (2 * _scaled(self.name, value) - low - high) / (high - low)

    def describe(self) -> str:
        """For people: "category: kick, snare", "velocity: 20 to 120"."""
        return f"{self.name}: {', '.join(self.labels)}" if self.labels else f"{self.name}: {self.low:.4g} to {self.high:.4g}"


class Conditions:
    """All that a decoder is told. settings: name -> the labels there are, two or more, or the lowest and highest figure.

    Facts of sounds are a tensor `(batch, len(conditions))`, a label by its place among the labels, NaN where unknown; the decoder's
    numbers are `(batch, size)`. Raises ConfigError.
    """

    def __init__(self, settings: Settings):
        self.all: list[Condition] = []
        start = 0
        for name, values in settings.items():
            condition = _condition(name, values, start)
            self.all.append(condition)
            start += condition.size
        self.size = start

    def __len__(self) -> int:
        return len(self.all)

    def numbers(self, facts: Tensor) -> Tensor:
        """`(batch, len(self))` to `(batch, size)`."""
        parts = []
        for fact, condition in zip(facts.unbind(1), self.all, strict=True):
            known = fact.isfinite()
            if condition.labels:
                place = fact.nan_to_num(0.0).round().long().clamp(0, len(condition.labels) - 1)
                parts.append(functional.one_hot(place, len(condition.labels)).to(facts) * known[:, None])
            else:
                place = condition.place(fact).nan_to_num(0.0).clamp(-_BEYOND, _BEYOND)
                parts.append(torch.stack([torch.where(known, place, 0.0), known.to(facts)], 1))
        return torch.cat(parts, 1) if parts else facts.new_zeros(len(facts), 0)

    def unknown(self, count: int) -> Tensor:
        """Facts of `count` sounds of which nothing is known, `(count, len(self))`."""
        return torch.full((count, len(self)), math.nan)

    def dropped(self, numbers: Tensor, *, share: float) -> Tensor:
        """Forgets every condition of a `share` of the sounds, and any condition of a sound as likely. Drawn on the CPU."""
        keep = (torch.rand(len(numbers), 1 + len(self.all)) >= share).to(numbers)
        widths = torch.tensor([condition.size for condition in self.all], device=numbers.device)
        return numbers * keep[:, :1] * keep[:, 1:].repeat_interleave(widths, 1)

    def spread(self, numbers: Tensor) -> Tensor:
        """`(batch, size)` as a network takes them, `(batch, inputs)`: figures beside sines of them, for fine steps."""
        parts = []
        for condition in self.all:
            own = numbers[:, condition.start : condition.start + condition.size]
            if not condition.labels:
                turns = math.pi * own[:, :1] * 2.0 ** torch.arange(_WAVES).to(own) / 2
                own = torch.cat([own, own[:, 1:] * turns.sin(), own[:, 1:] * turns.cos()], 1)
            parts.append(own)
        return torch.cat(parts, 1) if parts else numbers

    @property
    def inputs(self) -> int:
        """Numbers that `spread` gives."""
        return sum(len(condition.labels) or FACTOR for condition in self.all)

    def settled(self, numbers: Tensor) -> Tensor:
        """Numbers `(…, size)` drawn somewhere between sounds as those of one: one label or none, figures known or not."""
        parts = []
        for condition in self.all:
            own = numbers[..., condition.start : condition.start + condition.size]
            if condition.labels:
                likeliest = functional.one_hot(own.argmax(-1), condition.size).to(own)
                parts.append(likeliest * (own.amax(-1, keepdim=True) > 0.5))
            else:
                known = (own[..., 1:] > 0.5).to(own)
                parts.append(torch.cat([own[..., :1].clamp(-1, 1) * known, known], -1))
        return torch.cat(parts, -1) if parts else numbers

    def asked(self, wanted: Mapping[str, str | float]) -> dict[int, float]:
        """What is asked for, name -> label or figure, as places among the numbers and their values. Raises ConfigError."""
        names = {condition.name: condition for condition in self.all}
        found: dict[int, float] = {}
        for name, value in wanted.items():
            if name not in names:
                known = "; ".join(condition.describe() for condition in self.all) or "none"
                raise ConfigError(f"there is no condition {name!r}; this instrument has {known}")
            condition = names[name]
            fact = _fact(condition, value)
            numbers = Conditions({name: condition.labels or (condition.low, condition.high)}).numbers(torch.tensor([[fact]]))[0]
            found |= {condition.start + k: float(number) for k, number in enumerate(numbers)}
        return found


def _condition(name: str, values: Sequence[str] | Sequence[float], start: int) -> Condition:
    if all(isinstance(value, str) for value in values):
        labels = tuple(str(value) for value in values)
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ConfigError(f"model.conditions.{name} has the labels {_short(values)}, allowed are two or more, none twice")
        return Condition(name, labels, 0.0, 0.0, start)
    if len(values) != 2 or any(isinstance(value, str) for value in values):
        raise ConfigError(f"model.conditions.{name} is {_short(values)}, allowed are two or more labels, or the lowest and highest figure")
    low, high = (float(value) for value in values)
    if not low < high or (name in LOGARITHMIC and low <= 0) or not math.isfinite(high - low):
        above = " above 0" if name in LOGARITHMIC else ""
        raise ConfigError(f"model.conditions.{name} is {low:g} to {high:g}, allowed are two rising figures{above}")
    return Condition(name, (), low, high, start)


def _fact(condition: Condition, value: str | float) -> float:
    """A label's place, or the figure itself. Raises ConfigError."""
    if condition.labels:
        if value not in condition.labels:
            raise ConfigError(f"{condition.name} is {value!r}, allowed is one of {', '.join(condition.labels)}")
        return float(condition.labels.index(str(value)))
    try:
        figure = float(value)
    except ValueError:
        figure = math.nan
    place = condition.place(torch.tensor(figure, dtype=torch.float64))
    if not abs(float(place)) <= _BEYOND:  # also refuses NaN
        raise ConfigError(
            f"{condition.name} is {value!r}, allowed are figures from {condition.low:.4g} to {condition.high:.4g} and a little beyond"
        )
    return figure


def _scaled(name: str, value: Tensor) -> Tensor:
    return value.clamp_min(_LEAST).log() if name in LOGARITHMIC else value


def _short(values: Sequence[object]) -> str:
    return ", ".join(f"{value!s:.20}" for value in values[:4]) + (", …" if len(values) > 4 else "")
