"""Settings checked by pydantic against the annotations of a constructor or schema, with errors in plain words."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from timbrespace.contracts import ConfigError

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)


class UnknownSettingError(ConfigError):
    """A key that is not a setting. key: whole, with its section; known: the keys of that section."""

    def __init__(self, key: str, known: Sequence[str], advice: str = ""):
        super().__init__(f"{key} is not a setting{advice}; known here are {', '.join(known)}")
        self.key, self.known = key, known


_SHORT = reprlib.Repr()  # a few nested YAML aliases can expand to gigabytes: values are never shown in full
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring = 2, 4, 4, 60


@cache
def arguments_schema(construct: Callable[..., None]) -> type[BaseModel]:
    """Returns a schema of those arguments of a constructor that are annotated with a pydantic `Field`, with their limits and defaults."""
    hints = get_type_hints(construct, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(construct).parameters.items()
        if hasattr(hints.get(name), "__metadata__")
    }
    return create_model(construct.__qualname__, __config__=FROZEN, **fields)


def checked_arguments(construct: Callable[..., None], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments with those of `arguments_schema` checked and as Python numbers; others are unchanged.

    Types are strict: a text is no number and True is no 1. NumPy scalars count as Python numbers, and where a float is allowed so does
    whatever converts to one (a tensor of one value). Raises ConfigError.
    """
    schema = arguments_schema(construct)
    given = {name: _python_scalar(value) for name, value in arguments.items() if name in schema.model_fields}
    try:
        checked = schema.model_validate(given, strict=True)
    except ValidationError as error:
        raise config_error(error, "", schema) from None
    return {**arguments, **{name: getattr(checked, name) for name in given}}


def config_error(error: ValidationError | TypeError, prefix: str, schema: type[BaseModel]) -> ConfigError:
    """Returns the first failure of a validation as an error that names the key, the value, what is allowed and the default.

    prefix: goes before the key, for instance "model.".
    """
    if isinstance(error, TypeError):
        return ConfigError(f"the settings are not keys and values: {error}")
    first = error.errors()[0]
    location = first["loc"]
    path = prefix + ".".join(str(part) for part in location)
    if first["type"] == "missing":
        return ConfigError(f"{path} is not given, and has no default")
    if first["type"] == "extra_forbidden":
        known = _fields_at(schema, location[:-1])
        value = first["input"]
        while isinstance(value, Mapping) and len(value) == 1:
            key, value = next(iter(value.items()))
            path += f".{key}"
        return UnknownSettingError(path, list(known))
    field = _fields_at(schema, location[:-1]).get(str(location[-1])) if location else None
    allowed = _allowed(field) if field is not None else None
    if field is None or allowed is None:
        return ConfigError(f"{path} is {shortened(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}")
    default = "" if field.is_required() else f"; the default is {field.default!r}"
    return ConfigError(f"{path} is {shortened(first['input'])}, allowed are {allowed}{default}")


def shortened(value: object) -> str:
    """Returns `repr(value)`, cut to a few items and characters."""
    return f"{_SHORT.repr(value):.80}"


def _fields_at(schema: Any, location: tuple[int | str, ...]) -> dict[str, FieldInfo]:
    """Returns the fields of the group at `location`, empty where that is no group."""
    for part in location:
        field = schema.model_fields.get(part)
        if field is None:
            return {}
        group = field.annotation
        schema = next((kind for kind in get_args(group) if hasattr(kind, "model_fields")), group)  # of a group or None
        if not hasattr(schema, "model_fields"):
            return {}
    return dict(schema.model_fields)


def _allowed(field: FieldInfo) -> str | None:
    """Returns the allowed values in words, None for types other than numbers, truth values and choices."""
    kind, none = field.annotation, ""
    options = get_args(kind)
    if type(None) in options and len(options) == 2:
        kind, none = next(option for option in options if option is not type(None)), " and null"
    metadata = [*field.metadata, *getattr(kind, "__metadata__", ())]
    kind = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
    if get_origin(kind) is Literal:
        return ", ".join(repr(choice) for choice in get_args(kind)) + none
    if kind is bool:
        return f"True and False{none}"
    if kind not in (int, float):
        return None
    limits = [limit for item in metadata for limit in getattr(item, "metadata", [item])]
    least, over, most, under = (
        next((getattr(limit, name) for limit in limits if hasattr(limit, name)), None) for name in ("ge", "gt", "le", "lt")
    )
    words = "whole numbers" if kind is int else "numbers"
    words += f" from {_number(least)}" if least is not None else f" over {_number(over)}" if over is not None else ""
    words += f" to {_number(most)}" if most is not None else f" under {_number(under)}" if under is not None else ""
    return words + none


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def _python_scalar(value: Any) -> Any:
    """Returns NumPy's scalars as Python's; everything else is unchanged."""
    return value.item() if isinstance(value, np.generic) else value
