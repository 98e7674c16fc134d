"""The keys of a model or representation: its annotated constructor arguments, with the limits of their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from timbrespace.contracts import ConfigError
from timbrespace.model.wrappers.nested import Nested
from timbrespace.representation.base import Representation
from timbrespace.representation.normaliser import Kind
from timbrespace.validation import arguments_schema, config_error, shortened


@lru_cache(maxsize=64)
def settings_of(chosen: type) -> type[BaseModel]:
    """Returns the keys of a class as a schema: the annotated constructor arguments, with their limits."""
    schema = arguments_schema(chosen.__init__)  # type: ignore[misc]
    if not issubclass(chosen, Representation):
        return schema
    normalisation: dict[str, Any] = {"normalisation": (Kind, "none")}  # a key of every representation
    return create_model(chosen.__name__, __base__=schema, **normalisation)


def named(registry: Mapping[str, Any], name: object, kind: str) -> Any:
    """Returns the class of a name. kind: "model", "model.outer" or "representation", for the error. Raises ConfigError."""
    if not isinstance(name, str) or name not in registry:
        raise ConfigError(f"{kind}.name is {shortened(name)}, allowed are {', '.join(registry)}")
    return registry[name]


def fill(registry: Mapping[str, Any], settings: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Returns the settings of a named class, checked, with its defaults filled in. Raises ConfigError."""
    rest = dict(settings)
    name = rest.pop("name", None)
    schema = settings_of(named(registry, name, kind))
    try:
        filled = {"name": name, **schema(**rest).model_dump()}
    except (ValidationError, TypeError) as error:
        raise config_error(error, f"{kind}.", schema) from None
    for key, nested in nested_models(schema).items():
        inside = {n: family for n, family in registry.items() if nested.accepts(family)}
        given = filled[key]
        known = settings_of(named(inside, given.get("name"), f"{kind}.{key}")).model_fields
        defaults = {name: value for name, value in nested.defaults.items() if name in known}
        filled[key] = fill(inside, defaults | given, f"{kind}.{key}")
    return filled


def nested_models(schema: type[BaseModel]) -> dict[str, Nested]:
    """Returns the keys whose values are settings of another model."""
    return {name: mark for name, field in schema.model_fields.items() for mark in field.metadata if isinstance(mark, Nested)}
