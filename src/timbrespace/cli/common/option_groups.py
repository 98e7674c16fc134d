"""Options that several verbs share, written once as a dataclass."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_type_hints


def expand_option_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """Decorator: every parameter of `verb` whose type is a dataclass becomes one command-line option for each field of it.

    Typer sees the fields with their `Annotated` types and defaults; `verb` is called with the dataclass filled in. A class variable
    `section` of the dataclass is the title of its options in `--help`.
    """
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, type] = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(verb).parameters.items():
        options = _options_of(groups[name]) if name in groups else [parameter.replace(annotation=hints[name])]
        parameters += [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]

    @functools.wraps(verb)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        verb(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__  # or Typer would read the annotations of `verb`
    return run


def _options_of(group: type) -> list[inspect.Parameter]:
    """The fields of a dataclass as parameters."""
    hints = get_type_hints(group, include_extras=True)
    kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    section = getattr(group, "section", None)
    return [
        inspect.Parameter(
            field.name,
            kind,
            default=empty if field.default is MISSING else field.default,
            annotation=hints[field.name] if section is None else _in_section(hints[field.name], section),
        )
        for field in fields(group)
    ]


def _in_section(hint: Any, section: str) -> Any:
    """An `Annotated` type whose option is listed in a section of `--help`, unless the option names one itself."""
    option = copy.copy(hint.__metadata__[0])
    option.rich_help_panel = option.rich_help_panel or section
    return Annotated[hint.__origin__, option]
