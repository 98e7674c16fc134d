"""Labels and numbers of a sound as entries at the end of a latent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import ConfigError

LOGARITHMIC = frozenset({"brightness", "attack", "decay", "seconds"})  # on a logarithmic scale: Hz and seconds
_BEYOND = 1.25  # largest allowed distance from the middle of a range, in halves of it
_WAVES = 3  # sines of a number as inputs of a network, of 1/2, 1 and 2 periods over its range; with more, values between are uneven
_LEAST = 1e-6  # lower limit before a logarithm
FACTOR = 2 * _WAVES + 2  # inputs of a network for one number

Settings = Mapping[str, Sequence[str] | Sequence[float]]


class Condition(NamedTuple):
    """A label out of `labels`, or a number between `low` and `high`. Its entries are `start` to `start + size` of all."""

    name: str
    labels: tuple[str, ...]
    low: float
    high: float
    start: int

    @property
    def size(self) -> int:
        """Entries of the condition: one a label (one-hot), or two of a number (-1…1 over its range, and 1). All are 0 if it is unknown."""
        return len(self.labels) or 2

    def place(self, value: Tensor) -> Tensor:
        """Returns numbers on a scale of -1…1 over the range, of the same shape."""
        low, high = (_scaled(self.name, torch.tensor(limit, dtype=value.dtype)) for limit in (self.low, self.high))
        return (2 * _scaled(self.name, value) - low - high) / (high - low)

    def describe(self) -> str:
        """Returns a text such as "category: kick, snare" or "velocity: 20 to 120"."""
        return f"{self.name}: {', '.join(self.labels)}" if self.labels else f"{self.name}: {self.low:.4g} to {self.high:.4g}"


class Conditions:
    """All conditions of a model. settings: name -> two or more labels, or the lowest and highest number.

    Values of sounds are a tensor `(batch, len(conditions))`, a label by its index, NaN where unknown; entries of the latent are
    `(batch, size)`. Raises ConfigError.
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

    def entries(self, values: Tensor) -> Tensor:
        """Returns entries `(batch, size)` of values `(batch, len(self))`."""
        parts = []
        for value, condition in zip(values.unbind(1), self.all, strict=True):
            known = value.isfinite()
            if condition.labels:
                place = value.nan_to_num(0.0).round().long().clamp(0, len(condition.labels) - 1)
                parts.append(functional.one_hot(place, len(condition.labels)).to(values) * known[:, None])
            else:
                place = condition.place(value).nan_to_num(0.0).clamp(-_BEYOND, _BEYOND)
                parts.append(torch.stack([torch.where(known, place, 0.0), known.to(values)], 1))
        return torch.cat(parts, 1) if parts else values.new_zeros(len(values), 0)

    def unknown(self, count: int) -> Tensor:
        """Returns values of `count` sounds with unknown conditions, `(count, len(self))` of NaN."""
        return torch.full((count, len(self)), math.nan)

    def dropped(self, entries: Tensor, *, share: float) -> Tensor:
        """Returns entries `(batch, size)` with a `share` of sounds, and of single conditions, set to 0. Drawn on the CPU."""
        keep = (torch.rand(len(entries), 1 + len(self.all)) >= share).to(entries)
        widths = torch.tensor([condition.size for condition in self.all], dtype=torch.long, device=entries.device)
        return entries * keep[:, :1] * keep[:, 1:].repeat_interleave(widths, 1)

    def spread(self, entries: Tensor) -> Tensor:
        """Returns entries `(batch, size)` as inputs of a network, `(batch, inputs)`: numbers with sines and cosines, for fine steps."""
        parts = []
        for condition in self.all:
            own = entries[:, condition.start : condition.start + condition.size]
            if not condition.labels:
                turns = math.pi * own[:, :1] * 2.0 ** torch.arange(_WAVES).to(own) / 2
                own = torch.cat([own, own[:, 1:] * turns.sin(), own[:, 1:] * turns.cos()], 1)
            parts.append(own)
        return torch.cat(parts, 1) if parts else entries

    @property
    def inputs(self) -> int:
        """Inputs of a network, see `spread`."""
        return sum(len(condition.labels) or FACTOR for condition in self.all)

    def settled(self, entries: Tensor) -> Tensor:
        """Returns drawn entries `(…, size)` as those of a single sound: one label or none, numbers known or unknown."""
        parts = []
        for condition in self.all:
            own = entries[..., condition.start : condition.start + condition.size]
            if condition.labels:
                likeliest = functional.one_hot(own.argmax(-1), condition.size).to(own)
                parts.append(likeliest * (own.amax(-1, keepdim=True) > 0.5))
            else:
                known = (own[..., 1:] > 0.5).to(own)
                parts.append(torch.cat([own[..., :1].clamp(-1, 1) * known, known], -1))
        return torch.cat(parts, -1) if parts else entries

    def asked(self, wanted: Mapping[str, str | float]) -> dict[int, float]:
        """Returns entry -> value for conditions `wanted`, name -> label or number. Raises ConfigError."""
        names = {condition.name: condition for condition in self.all}
        found: dict[int, float] = {}
        for name, value in wanted.items():
            if name not in names:
                known = "; ".join(condition.describe() for condition in self.all) or "none"
                raise ConfigError(f"there is no condition {name!r}; this instrument has {known}")
            condition = names[name]
            number = _value(condition, value)
            entries = Conditions({name: condition.labels or (condition.low, condition.high)}).entries(torch.tensor([[number]]))[0]
            found |= {condition.start + k: float(entry) for k, entry in enumerate(entries)}
        return found


def _condition(name: str, values: Sequence[str] | Sequence[float], start: int) -> Condition:
    if all(isinstance(value, str) for value in values):
        labels = tuple(str(value) for value in values)
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ConfigError(f"model.conditions.{name} has the labels {_short(values)}, allowed are two or more, none twice")
        return Condition(name, labels, 0.0, 0.0, start)
    if len(values) != 2 or any(isinstance(value, str) for value in values):
        raise ConfigError(f"model.conditions.{name} is {_short(values)}, allowed are two or more labels, or the lowest and highest number")
    low, high = (float(value) for value in values)
    if not low < high or (name in LOGARITHMIC and low <= 0) or not math.isfinite(high - low):
        above = " above 0" if name in LOGARITHMIC else ""
        raise ConfigError(f"model.conditions.{name} is {low:g} to {high:g}, allowed are two rising numbers{above}")
    return Condition(name, (), low, high, start)


def _value(condition: Condition, value: str | float) -> float:
    """Returns the index of a label, or the number. Raises ConfigError."""
    if condition.labels:
        if value not in condition.labels:
            raise ConfigError(f"{condition.name} is {value!r}, allowed is one of {', '.join(condition.labels)}")
        return float(condition.labels.index(str(value)))
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    place = condition.place(torch.tensor(number, dtype=torch.float64))
    if not abs(float(place)) <= _BEYOND:  # also refuses NaN
        raise ConfigError(
            f"{condition.name} is {value!r}, allowed are numbers from {condition.low:.4g} to {condition.high:.4g} and a little beyond"
        )
    return number


def _scaled(name: str, value: Tensor) -> Tensor:
    return value.clamp_min(_LEAST).log() if name in LOGARITHMIC else value


def _short(values: Sequence[object]) -> str:
    return ", ".join(f"{value!s:.20}" for value in values[:4]) + (", …" if len(values) > 4 else "")
