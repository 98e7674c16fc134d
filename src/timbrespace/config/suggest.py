"""Which setting a mistyped key may mean: all keys of a preset, and close matches among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from timbrespace.config.aliases import modern_key
from timbrespace.config.schema import Config
from timbrespace.config.settings import nested_models, settings_of
from timbrespace.contracts import ConfigError
from timbrespace.model.registry import MODELS
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.validation import UnknownSettingError

_MOST = 3  # suggestions in an error
_REGISTRIES: dict[str, Mapping[str, Any]] = {"representation": REPRESENTATIONS, "model": MODELS}


def with_suggestion(error: ConfigError, content: Mapping[str, Any]) -> ConfigError:
    """Returns the error of an unknown key with the settings of the preset `content` that may be meant; any other error unchanged."""
    if not isinstance(error, UnknownSettingError):
        return error
    matches = suggestions(error.key, list(keys_of(content)))
    advice = f" (did you mean {' or '.join(matches)}?)" if matches else _owners(error.key)
    return UnknownSettingError(error.key, error.known, advice)


def suggestions(key: str, keys: list[str]) -> list[str]:
    """Returns those of `keys` that a mistyped key may mean, best first.

    The same last part counts most, also by its old name; then nearly the same one in the same group, then anywhere.
    """
    group, _, last = key.rpartition(".")
    keys = [known for known in keys if not key.startswith(f"{known}.")]  # the groups that the key was looked up in
    modern = {last, *(modern_key([section, last])[-1] for section in ("representation", "model", "training"))}
    same = [known for known in keys if known.rpartition(".")[2] in modern]
    if same:
        return same[:_MOST]
    names = [known.rpartition(".")[2] for known in keys if known.rpartition(".")[0] == group]
    in_group = [f"{group}.{name}" if group else name for name in get_close_matches(last, names, n=1, cutoff=0.7)]
    if in_group:
        return in_group
    by_last: dict[str, list[str]] = {}
    for known in keys:
        by_last.setdefault(known.rpartition(".")[2], []).append(known)
    near_last = [known for name in get_close_matches(last, by_last, n=_MOST, cutoff=0.75) for known in by_last[name]]
    return list(dict.fromkeys(near_last))[:_MOST]


def keys_of(content: Mapping[str, Any]) -> Iterator[str]:
    """Yields every key that the preset `content` can set, such as `model.dims`, `model.outer.width` or `training.weights.kl`."""
    yield from _fields(Config, "")
    for section, registry in _REGISTRIES.items():
        yield from _named_keys(section, content.get(section), registry)


def _named_keys(prefix: str, settings: Any, registry: Mapping[str, Any]) -> Iterator[str]:
    """Yields the keys of a model or representation, and of the models nested in it."""
    name = settings.get("name") if isinstance(settings, Mapping) else None
    if not isinstance(name, str) or name not in registry:
        return
    yield f"{prefix}.name"
    schema = settings_of(registry[name])
    yield from _fields(schema, f"{prefix}.")
    for key in nested_models(schema):
        given = settings.get(key)
        default = schema.model_fields[key].get_default(call_default_factory=True)
        yield from _named_keys(f"{prefix}.{key}", given if given is not None else default, registry)


def _fields(schema: type[BaseModel], prefix: str) -> Iterator[str]:
    """Yields the keys of a schema and of the groups in it."""
    for name, field in schema.model_fields.items():
        yield prefix + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{prefix}{name}.")


def _owners(key: str) -> str:
    """Returns " (a setting of the model …)" if other models or representations have that key, else nothing."""
    last = key.rpartition(".")[2]
    for section, registry in _REGISTRIES.items():
        names = [name for name, family in registry.items() if last in settings_of(family).model_fields]
        if names:
            return f" of this preset ({section}.{last} is one of the {section} {', '.join(names)})"
    return ""
