"""The range of one setting in a search, from text or from YAML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import yaml

from timbrespace.config.aliases import modern_key, modern_value
from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from optuna.trial import Trial

EXAMPLES = "write for instance model.dims=4..64:int:log, training.learning_rate=1e-5..1e-2:log or training.batch=64,128,256"
_POINTS = 5  # of a range in a grid, by default
_MOST_CELLS = 100_000
_KEYS = ("low", "high", "kind", "log", "step", "points")


@dataclass(frozen=True)
class Range:
    """The range of a setting: `choices`, or `low` to `high`, whole numbers or real ones, linear or logarithmic.

    step: between values; None for any value. points: in a grid; None for five.
    """

    key: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    step: float | None = None
    points: int | None = None

    def __post_init__(self) -> None:
        """Replaces old names of settings by new ones. Raises ConfigError for an impossible range."""
        object.__setattr__(self, "key", ".".join(modern_key(self.key.split("."))))
        object.__setattr__(self, "choices", tuple(modern_value(self.key, choice) for choice in self.choices))
        where = f"the range of {self.key}"
        if self.choices:
            if len({_label(choice) for choice in self.choices}) < len(self.choices):
                raise ConfigError(f"{where} names a choice twice")
            return
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ConfigError(f"{where} is {self.low:g} to {self.high:g}; both ends must be finite")
        if self.low > self.high:
            raise ConfigError(f"{where} is {self.low:g} to {self.high:g}; the lower end comes first")
        if self.log and self.low <= 0:
            raise ConfigError(f"{where} begins at {self.low:g}; with log it must be above 0")
        if self.log and self.step is not None:
            raise ConfigError(f"{where} has log and step; give one of them")
        if self.step is not None and not 0 < self.step <= max(self.high - self.low, 1e-300):
            raise ConfigError(f"{where} has step {self.step:g}; it must be above 0 and fit into {self.low:g} to {self.high:g}")
        if self.whole and any(v is not None and v != round(v) for v in (self.low, self.high, self.step)):
            raise ConfigError(f"{where} is of whole numbers, but one of {self.low:g}, {self.high:g}, its step, is none")
        if self.points is not None and self.points < 1:
            raise ConfigError(f"{where} has {self.points} points, at least 1 is needed")

    def suggest(self, trial: Trial) -> Any:
        """The value of this setting in a trial."""
        if self.choices:
            return {_label(choice): choice for choice in self.choices}[
                trial.suggest_categorical(self.key, [_label(c) for c in self.choices])
            ]
        if self.whole:
            return trial.suggest_int(self.key, round(self.low), round(self.high), log=self.log, step=round(self.step or 1))
        return trial.suggest_float(self.key, self.low, self.high, log=self.log, step=self.step)

    def grid(self) -> list[Any]:
        """The values of a grid; choices by their labels."""
        if self.choices:
            return [_label(choice) for choice in self.choices]
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            if count > _MOST_CELLS:
                raise ConfigError(f"the range of {self.key} has {count} steps; a grid may have {_MOST_CELLS} at most")
            values = [self.low + k * self.step for k in range(count)]
        else:
            count = (self.points or _POINTS) if self.high > self.low else 1
            shares = [k / (count - 1) if count > 1 else 0.0 for k in range(count)]
            if self.log:
                values = [math.exp(math.log(self.low) + share * math.log(self.high / self.low)) for share in shares]
            else:
                values = [self.low + share * (self.high - self.low) for share in shares]
            values = [min(max(value, self.low), self.high) for value in values]
        return list(dict.fromkeys(round(value) for value in values)) if self.whole else values

    def ends(self) -> list[Any]:
        """The values that are checked before a search begins: both ends, or all choices."""
        if self.choices:
            return list(self.choices)
        return [round(end) if self.whole else end for end in (self.low, self.high)]

    def describe(self) -> str:
        """The range as it is written on the command line."""
        if self.choices:
            return f"{self.key}={','.join(_label(c) if isinstance(_label(c), str) else json.dumps(c) for c in self.choices)}"
        words = ["int" if self.whole else "real", *(["log"] if self.log else [])]
        words += [f"{name}={value:g}" for name, value in (("step", self.step), ("points", self.points)) if value is not None]
        return f"{self.key}={self.low:.10g}..{self.high:.10g}:{':'.join(words)}"


def _label(choice: Any) -> Any:
    """A choice as a storage keeps it: itself if it is a plain value, else JSON."""
    return choice if choice is None or isinstance(choice, str | int | float | bool) else json.dumps(choice)


def parse_range(text: str) -> Range:
    """The range that a text describes: `KEY=LOW..HIGH[:int|real][:log][:step=S][:points=N]` or `KEY=A,B,C`. Raises ConfigError."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise ConfigError(f"{text!r} is not a range; {EXAMPLES}")
    return _from_text(key, value)


def _from_text(key: str, text: str) -> Range:
    if ".." not in text:
        try:
            choices = yaml.safe_load(f"[{text}]")
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"the range of {key}, {text!r}, is no list of values; {EXAMPLES}") from None
        return _choices(key, [_number(choice) for choice in choices])
    ends, *words = text.split(":")
    settings: dict[str, Any] = dict(zip(("low", "high"), (end.strip() for end in ends.split("..", 1)), strict=True))
    for word in (word.strip() for word in words):
        name, equals, value = word.partition("=")
        if word in ("int", "real"):
            settings["kind"] = word
        elif word in ("log", "linear"):
            settings["log"] = word == "log"
        elif equals and name in ("step", "points"):
            settings[name] = value
        else:
            raise ConfigError(f"the range of {key} says {word!r}; allowed are int, real, log, linear, step=S and points=N")
    return _from_mapping(key, settings)


def _from_mapping(key: str, settings: Mapping[str, Any]) -> Range:
    unknown = [str(name) for name in settings if name not in _KEYS]
    if unknown or "low" not in settings or "high" not in settings:
        raise ConfigError(
            f"the range of {key} has the keys {', '.join(map(str, settings))}; it needs low and high, and may have {', '.join(_KEYS[2:])}"
        )
    numbers: dict[str, Any] = {}
    for name in ("low", "high", "step", "points"):
        value = _number(settings.get(name))
        if not isinstance(value, int | float | None) or isinstance(value, bool) or (name == "points" and not isinstance(value, int | None)):
            raise ConfigError(f"the range of {key} has {name} {value!r}; that must be a number")
        numbers[name] = value
    kind = settings.get("kind")
    if kind not in (None, "int", "real") or not isinstance(settings.get("log", False), bool):
        raise ConfigError(
            f"the range of {key} has kind {kind!r} and log {settings.get('log', False)!r}; allowed are int, real; true, false"
        )
    all_whole = all(isinstance(numbers[name], int | None) for name in ("low", "high", "step"))
    return Range(
        key,
        low=float(numbers["low"]),
        high=float(numbers["high"]),
        whole=kind == "int" or (kind is None and all_whole),
        log=settings.get("log", False),
        step=None if numbers["step"] is None else float(numbers["step"]),
        points=numbers["points"],
    )


def _choices(key: str, choices: Sequence[Any]) -> Range:
    if not choices:
        raise ConfigError(f"the range of {key} is empty; {EXAMPLES}")
    return Range(key, choices=tuple(choices))


def _number(value: Any) -> Any:
    """A text that is a number as that number, because YAML reads 1e-4 as text."""
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return value


def parse_space(content: Mapping[Any, Any]) -> list[Range]:
    """The ranges of a mapping: key -> list of choices, text as on the command line, or {low, high, kind, log, step, points}.

    Raises ConfigError.
    """
    ranges = []
    for key, value in content.items():
        if not isinstance(key, str):
            raise ConfigError(f"{key!r} is no setting's name; {EXAMPLES}")
        if isinstance(value, Mapping):
            ranges.append(_from_mapping(key, value))
        elif isinstance(value, list | tuple):
            ranges.append(_choices(key, [_number(choice) for choice in value]))
        else:
            ranges.append(_from_text(key, str(value)))
    return ranges


def cells(ranges: Sequence[Range]) -> list[dict[str, Any]]:
    """All combinations of a grid, in order. Raises ConfigError if there are more than 100,000."""
    values = [part.grid() for part in ranges]
    count = math.prod(map(len, values))
    if count > _MOST_CELLS:
        raise ConfigError(f"the grid has {count} cells, {_MOST_CELLS} at most; give fewer values, or another --sampler")
    return [dict(zip((part.key for part in ranges), cell, strict=True)) for cell in product(*values)]
