"""The text of `timbrespace VERB --help`: arguments by name, options in sections, value names in capitals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

WIDEST = 110  # columns; a wider terminal is not filled
_FEW = 12  # options that need no sections
_OUTPUT = "Output"
# Python names of options on results and printing; another section is named by `rich_help_panel` where the option is defined
_OUTPUT_NAMES = frozenset(
    {"out", "kit", "reel", "sheet", "page", "anonymous", "level", "subtype", "rate", "engine", "force", "json", "help"}
)
_VALUES = {"int": "N", "float": "NUMBER", "str": "TEXT", "path": "FILE"}
_LARGEST_SEED = 2**32 - 1


class VerbCommand(TyperCommand):
    """A Typer command whose help lists its options in sections."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the words after the name of the verb: its arguments, then `[OPTIONS]`."""
        return [*(_usage(one) for one in self.get_params(ctx) if one.param_type_name == "argument"), "[OPTIONS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the arguments, then the options by section, those on results last."""
        arguments, sections = [], dict[str, list[tuple[str, str]]]()
        parameters = self.get_params(ctx)
        one_section = sum(one.param_type_name == "option" for one in parameters) <= _FEW
        for one in parameters:
            record = one.get_help_record(ctx)
            if record is None:
                continue
            name, text = record
            if one.param_type_name == "argument":
                arguments.append((_name(one), _text(text).replace("  [required]", "")))
            else:
                panel = "Options" if one_section else _panel(one)
                sections.setdefault(panel, []).append((_values(name), _text(text)))
        if _OUTPUT in sections:
            sections[_OUTPUT] = sections.pop(_OUTPUT)  # to the end
        for title, rows in [("Arguments", arguments), *sections.items()]:
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=34)


def _panel(option: Any) -> str:
    return getattr(option, "rich_help_panel", None) or (_OUTPUT if option.name in _OUTPUT_NAMES else "Options")


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _usage(argument: Any) -> str:
    """The name of an argument in the usage line: `[NAME]` for one that may be left out, `NAME …` for one that may be repeated."""
    name = _name(argument)
    if argument.nargs != 1 and "…" not in name:
        name += " …"
    return name if argument.required else f"[{name}]"


def _values(name: str) -> str:
    """The name of an option with its value in capitals: `--count N` for Typer's `--count <int range>`."""

    def value(found: re.Match[str]) -> str:
        kinds: Iterable[str] = found[1].removesuffix(" range").split(",")
        return " ".join(_VALUES.get(kind, kind) for kind in kinds)

    return re.sub(r"<([^<>]+)>(?:\.\.\.)?", value, name)


def _text(text: str) -> str:
    """The help of an option with the range of its values in words."""
    text = text.replace(f"; 0<=x<={_LARGEST_SEED}", "")
    text = re.sub(r"(-?[\d.]+)<=x<=(-?[\d.]+)", r"\1 to \2", text)
    return re.sub(r"x>=(-?[\d.]+)", r"\1 or more", text)
