"""Options written once as a dataclass reach the command line like options written out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from timbrespace.cli.common.help import VerbCommand
from timbrespace.cli.common.option_groups import expand_option_groups


@dataclass(frozen=True)
class Group:
    """Two shared options."""

    out: Annotated[str, typer.Option("--out", help="Where to.", show_default=False)]
    loud: Annotated[bool, typer.Option("--loud", help="Louder.")] = False


@expand_option_groups
def verb(word: Annotated[str, typer.Argument()], count: Annotated[int, typer.Option("-n")] = 2, *, group: Group) -> None:
    """Says a word."""
    print(word, count, group)


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(verb)
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_the_fields_of_a_group_are_options_with_their_defaults() -> None:
    assert run("hello", "--out", "x") == (0, "hello 2 Group(out='x', loud=False)\n")
    assert run("hello", "-n", "3", "--out", "x", "--loud") == (0, "hello 3 Group(out='x', loud=True)\n")


def test_a_field_without_default_is_required() -> None:
    code, output = run("hello")
    assert code == 2
    assert "--out" in output


def test_help_shows_the_verb_and_every_option() -> None:
    code, output = run("--help")
    assert code == 0
    for text in ("Says a word.", "-n", "--out", "Where to.", "--loud", "Louder."):
        assert text in output


@dataclass(frozen=True)
class Moves:
    """Options of a section."""

    section: ClassVar[str] = "Moves"

    fast: Annotated[float, typer.Option("--fast", help="How fast.")] = 1.0
    sheet: Annotated[bool, typer.Option("--sheet", help="A sheet.", rich_help_panel="Output")] = False


def test_help_has_sections_and_values_in_capitals() -> None:
    @expand_option_groups
    def walk(
        files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sounds.")],
        seed: Annotated[int, typer.Option("--seed", min=0, max=9, help="Seed.")] = 0,
        *,
        moves: Moves,
        group: Group,
    ) -> None:
        """Walks."""

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=VerbCommand)(walk)
    short = CliRunner().invoke(app, ["--help"]).output
    assert "Moves:" not in short  # a few options need no sections
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("timbrespace.cli.common.help._FEW", 0)
        output = CliRunner().invoke(app, ["--help"]).output
    assert "FILE … [OPTIONS]" in output
    assert "--seed N  Seed.  [default: 0; 0 to 9]" in output
    options, moves, results = output.index("\nOptions:"), output.index("\nMoves:"), output.index("\nOutput:")
    assert options < output.index("--loud") < moves < output.index("--fast NUMBER") < results
    assert results < min(output.index(name) for name in ("--sheet", "--out TEXT", "--help"))
