"""Settings of a model in two stages whose outer model was trained before: its part of the settings is fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from timbrespace.config.aliases import modern_key
from timbrespace.config.build import make_config
from timbrespace.config.presets import apply_changes, is_shipped, preset_content
from timbrespace.config.schema import Config
from timbrespace.config.settings import nested_models, settings_of
from timbrespace.contracts import ConfigError
from timbrespace.model.registry import MODELS
from timbrespace.validation import shortened

_FIXED = ("representation", "model.outer")


class OuterSettings(NamedTuple):
    """What a trained outer model fixes.

    name: of its file, for errors. representation, model: settings with all defaults. seconds: its longest clip.
    """

    name: str
    representation: Mapping[str, Any]
    model: Mapping[str, Any]
    seconds: float


def load_preset_with(outer: OuterSettings, name: str | Path, *, changes: Iterable[str] = (), **training: Any) -> Config:
    """Returns a checked preset with the representation and the outer model of `outer`; arguments as for `load_preset`.

    Those of a shipped preset are replaced. What a user wrote, in a file or in `changes`, must agree. Raises ConfigError.
    """
    changes = list(changes)
    content = preset_content(name)
    if is_shipped(name):
        for group, key in (("model", "outer"), ("training", "seconds")):
            if isinstance(content.get(group), dict):
                content[group].pop(key, None)
        content.pop("representation", None)
    apply_changes(content, changes, **training)
    _check_changes(outer, changes)
    if isinstance(content.get("model"), dict):
        _check_stages(outer, content["model"].get("name"))
        content["model"] = content["model"] | {"outer": _filled(outer.model, content["model"].get("outer"))}
    content["representation"] = _filled(outer.representation, content.get("representation"))
    learning = content.get("training") or {}
    if isinstance(learning, dict) and learning.get("seconds") is None:
        content["training"] = learning | {"seconds": outer.seconds}
    return check_agrees(make_config(content), outer)


def check_agrees(config: Config, outer: OuterSettings) -> Config:
    """Returns `config`. Raises ConfigError unless it has the representation and the outer model of `outer`."""
    _check_stages(outer, config.model.get("name"))
    given = dict(zip(_FIXED, (config.representation, config.model["outer"]), strict=True))
    fixed = dict(zip(_FIXED, (outer.representation, outer.model), strict=True))
    if different := [text for group in _FIXED for text in _differences(given[group], fixed[group], group)]:
        raise ConfigError(
            f"the outer model {outer.name} was trained with other settings: {', '.join(different[:3])}; leave these settings out, "
            "or train an outer model with them"
        )
    return config


def _check_stages(outer: OuterSettings, name: object) -> None:
    """Raises ConfigError for a model without an outer model; an unknown name has its own error later."""
    family = MODELS.get(name) if isinstance(name, str) else None
    if family is not None and "outer" not in nested_models(settings_of(family)):
        allowed = [other for other, one in MODELS.items() if "outer" in nested_models(settings_of(one))]
        raise ConfigError(
            f"the outer model {outer.name} is for a model in two stages, and model.name is {name!r}; allowed is {', '.join(allowed)}, "
            "for instance with --preset staged"
        )


def _check_changes(outer: OuterSettings, changes: Iterable[str]) -> None:
    """Raises ConfigError for a setting that would have no effect."""
    for change in changes:
        if modern_key(change.partition("=")[0].strip().split(".")) == ["model", "outer_share"]:
            raise ConfigError(f"{change!r} has no effect: the outer model {outer.name} is trained already; leave it out")


def _filled(fixed: Mapping[str, Any], given: Any) -> Any:
    """The fixed settings with the given ones over them; the given ones alone if they have another name, or are no settings."""
    if given is None:
        return dict(fixed)
    if not isinstance(given, Mapping) or given.get("name", fixed.get("name")) != fixed.get("name"):
        return given
    merged = dict(fixed)
    for key, value in given.items():
        merged[key] = _filled(merged[key], value) if isinstance(merged.get(key), Mapping) else value
    return merged


def _differences(given: Mapping[str, Any], fixed: Mapping[str, Any], prefix: str) -> list[str]:
    """The settings that differ, as text: 'representation.hop is 512, not 256'."""
    if given.get("name") != fixed.get("name"):
        return [f"{prefix}.name is {shortened(fixed.get('name'))}, not {shortened(given.get('name'))}"]
    return [
        f"{prefix}.{key} is {shortened(fixed.get(key))}, not {shortened(given.get(key))}"
        for key in dict.fromkeys([*given, *fixed])
        if given.get(key) != fixed.get(key)
    ]
