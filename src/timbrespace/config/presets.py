"""Presets: YAML files, shipped or a user's own, with `key=value` changes over them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from timbrespace.config.aliases import PRESETS as OLD_PRESETS
from timbrespace.config.aliases import modern_key, modernised
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError

PRESETS = Path(__file__).parent.parent / "presets"


def presets() -> dict[str, str]:
    """Returns the description of each shipped preset, by name."""
    return {path.stem: str(read_yaml(path).get("description", "")) for path in sorted(PRESETS.glob("*.yaml"))}


def load_preset(name: str | Path = "oneshot", *, changes: Iterable[str] = (), **training: Any) -> Config:
    """Returns a checked preset with changes applied.

    name: of a shipped preset, or the path of a YAML file. changes: `key=value` texts such as `model.dims=16`. training: settings of
    the section `training` by keyword; `minutes` given so replaces the preset's `epochs`.

    Raises ConfigError with the key, the value and the allowed values.
    """
    return changed(preset_content(name), changes, **training)


def changed(content: dict[str, Any], changes: Iterable[str] = (), **training: Any) -> Config:
    """Returns the checked settings of a preset's content, which it may alter, with changes applied; see `load_preset`."""
    from timbrespace.config.build import make_config  # imports PyTorch, which a list of presets does not need

    apply_changes(content, changes, **training)
    return make_config(content)


def is_shipped(name: str | Path) -> bool:
    """Whether a preset is one of the package, not a file of the user's."""
    return Path(name).suffix not in (".yaml", ".yml")


def preset_content(name: str | Path) -> dict[str, Any]:
    """Returns what a preset says, with old names replaced and not checked. Raises ConfigError."""
    return modernised(read_yaml(_path(name)))


def apply_changes(content: dict[str, Any], changes: Iterable[str], **training: Any) -> None:
    """Changes the content of a preset in place; changes, training: as for `load_preset`. Raises ConfigError."""
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{change!r} is not key=value; for instance model.dims=16")
        _set(content, modern_key(key.strip().split(".")), parse_value(value, where=change), whole=key.strip())
    for key, value in training.items():
        if value is not None:
            _set(content, ["training", key], value, whole=f"training.{key}")
    if training.get("minutes") is not None and training.get("epochs") is None:
        _set(content, ["training", "epochs"], None, whole="training.epochs")  # which would count instead


def _path(name: str | Path) -> Path:
    if not is_shipped(name):
        return Path(name)
    names = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    current = OLD_PRESETS.get(str(name), str(name))
    if current not in names:
        raise ConfigError(f"preset {str(name)!r} is unknown; there are {', '.join(names)}, or give the path of a .yaml file")
    return PRESETS / f"{current}.yaml"


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns the keys and values of a YAML file. Raises ConfigError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; `timbrespace presets` lists those of the package") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an impossible date, a number of thousands of digits
        raise ConfigError(f"{path} is not valid YAML: {(str(error).splitlines() or ['?'])[0]:.200}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values (representation, model, training), not {type(content).__name__}")
    return content


def parse_value(value: str, *, where: str) -> Any:
    """The value of `KEY=VALUE` as YAML reads it. where: the whole text, for the error. Raises ConfigError, also for a decimal comma."""
    if re.fullmatch(r"\s*[+-]?\d+,\d+(e[+-]?\d+)?\s*", value, re.IGNORECASE):
        raise ConfigError(f"{where[:60]!r} has a decimal comma; write {value.strip().replace(',', '.')} with a point")
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"the value of {where!r} is not valid YAML; write for instance model.dims=16") from None


def _set(content: dict[str, Any], keys: list[str], value: Any, *, whole: str) -> None:
    for key in keys[:-1]:
        inner = content.get(key)
        content[key] = dict(inner) if isinstance(inner, dict) else {}
        if inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"{whole} is not a key: {key} holds a value, not a group")
        content = content[key]
    content[keys[-1]] = value
