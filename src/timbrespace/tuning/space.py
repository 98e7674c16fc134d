"""What a search may change: ranges of settings from options, a YAML file or a preset's `tune` section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import Any

import yaml

from timbrespace.config.presets import load_preset, read_yaml
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError
from timbrespace.training.options import TrainOptions
from timbrespace.tuning.ranges import EXAMPLES, Range, parse_range, parse_space

_MOST_PAIRS = 100  # combinations of names that an end of a range is checked with


def read_space(path: Path | str) -> list[Range]:
    """The ranges of a YAML file: a mapping as in `parse_space`, or a preset with a section `tune`. Raises ConfigError."""
    content = read_yaml(Path(path))
    inner = content.get("tune", content)
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{path}: tune holds no ranges by key; {EXAMPLES}")
    return parse_space(inner)


def search_ranges(preset: str | Path, texts: Iterable[str], space: Path | str | None) -> list[Range]:
    """The ranges of a search: those of the file `space`, overridden by `texts`; without either the preset's. Raises ConfigError."""
    given = {part.key: part for part in map(parse_range, texts)}
    base = read_space(space) if space is not None else [] if given else parse_space(load_preset(preset).tune)
    ranges = list(({part.key: part for part in base} | given).values())
    if not ranges:
        raise ConfigError(
            f"there is nothing to search: preset {str(preset)!r} has no section `tune`; give --space FILE or --range; {EXAMPLES}"
        )
    return ranges


def settings_with(training: TrainOptions, values: Mapping[str, Any]) -> Config:
    """The settings of a trial: those of `training` with `values` by key over them. Raises ConfigError."""
    changes = (f"{key}={_yaml(value)}" for key, value in values.items())
    return replace(training, changes=(*training.changes, *changes)).config()


def _yaml(value: Any) -> str:
    """A value as YAML on one line."""
    return str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("...\n").strip()


def check_space(training: TrainOptions, ranges: Sequence[Range]) -> None:
    """Checks both ends of every range, alone and beside every choice of a `name`. Raises ConfigError for an impossible range."""
    times = [key for key in ("training.minutes", "training.epochs") if any(part.key == key for part in ranges)]
    if times and (training.minutes is not None or training.epochs is not None):
        raise ConfigError(f"{times[0]} has a range, and the time of a trial is given too; give one of them")
    names = [part for part in ranges if part.key.endswith(".name") and part.choices]
    pairs = [dict(zip((part.key for part in names), values, strict=True)) for values in product(*(part.choices for part in names))]
    for part in ranges:
        for value in part.ends():
            first: ConfigError | None = None
            for others in [{}, *islice(pairs, _MOST_PAIRS)]:
                try:
                    settings_with(training, others | {part.key: value})
                    break
                except ConfigError as error:
                    first = first or error
            else:
                raise ConfigError(f"the range {part.describe()} is impossible: {first}")
