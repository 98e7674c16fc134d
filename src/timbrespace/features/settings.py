"""The representation that `represent` is asked for: `--as NAME` and `--set KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from timbrespace.config.aliases import REPRESENTATIONS as OLD_NAMES
from timbrespace.config.build import build_representation
from timbrespace.config.presets import parse_value
from timbrespace.contracts import ConfigError
from timbrespace.representation.registry import REPRESENTATIONS

if TYPE_CHECKING:
    from timbrespace.representation.base import Representation


def parse_settings(name: str | None, changes: Sequence[str] | None) -> dict[str, Any]:
    """Returns --as and --set as the settings of a preset. Raises ConfigError."""
    name = OLD_NAMES.get(name, name) if name is not None else None
    if name not in REPRESENTATIONS:
        given = "--as is missing" if name is None else f"--as is {name[:40]!r}"
        raise ConfigError(f"{given}, allowed are {', '.join(REPRESENTATIONS)}")
    settings: dict[str, Any] = {"name": name}
    for change in changes or ():
        key, equals, value = (word.strip() for word in change.partition("="))
        key = key.removeprefix("representation.")
        if not equals or not key or key == "name":
            raise ConfigError(f"--set is {change[:60]!r}, it must be KEY=VALUE; for instance --set bands=64")
        settings[key] = parse_value(value, where=f"--set {change}")
    return settings


def build_view(settings: dict[str, Any], *, sample_rate: int, channels: int) -> Representation:
    """Returns the representation; a normalised one is not fitted. Raises ConfigError that names the option."""
    try:
        return build_representation(settings, sample_rate=sample_rate, channels=channels)
    except ConfigError as error:
        raise ConfigError(str(error).replace("representation.", "--set ", 1)) from None
