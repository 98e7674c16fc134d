"""What the verbs that move through the latent space share: separate sounds, a contact sheet, or one moving sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from timbrespace.cli.sounds.batch import BatchOptions, write_batch

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.space.moves.move import Move
    from timbrespace.synthesis.sound import Sound

_SHEET = "sheet.png"


_SHEET_HELP = "Also write a contact sheet: reel.wav, and sheet.png with all spectrograms."


@dataclass(frozen=True)
class MovingOptions:
    """How a move is rendered; see `option_groups.expand_option_groups`."""

    section: ClassVar[str] = "One moving sound"

    as_one: Annotated[bool, typer.Option("--as-one", help="Make one sound whose latent moves while it sounds.")] = False
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="With --as-one: its length; by default that of the longest sound, or 4 s.")
    ] = None
    hold: Annotated[
        bool | None,
        typer.Option(
            "--hold/--once",
            help="With --as-one: hold the sound after its attack, or play its course once; by default held if longer than its sounds.",
            show_default=False,
        ),
    ] = None
    sheet: Annotated[bool, typer.Option("--sheet", help=_SHEET_HELP, rich_help_panel="Output")] = False

    def check(self) -> None:
        """Raises ConfigError for options that do not go together."""
        from timbrespace.contracts import ConfigError

        if not self.as_one and (self.seconds is not None or self.hold is not None):
            option = "--seconds" if self.seconds is not None else "--hold" if self.hold else "--once"
            raise ConfigError(f"{option} is given without --as-one, which it belongs to; add --as-one")


class Sheet:
    """The contact sheet of a batch. move: set when the sounds are made."""

    def __init__(self) -> None:
        self.move: Move | None = None

    def check(self, options: BatchOptions) -> None:
        """Raises OutputExistsError where the sheet exists."""
        from timbrespace.atomic import check_absent

        check_absent(options.out / _SHEET, force=options.force)

    def write(self, sounds: Sequence[Sound], options: BatchOptions) -> dict[str, str]:
        """Draws the sheet; returns {"sheet": its path}."""
        from timbrespace.report.sheets.contact_sheet import draw_sheet

        assert self.move is not None
        many = len(sounds) == len(self.move.labels)
        labels = [label or sound.name for label, sound in zip(self.move.labels, sounds, strict=True)] if many else [sounds[0].name]
        path = options.out / _SHEET
        draw_sheet(sounds, path, labels=labels, grid=self.move.grid if many else None, title=self.move.name, force=options.force)
        return {"sheet": str(path)}


def write_move(
    options: BatchOptions,
    moving: MovingOptions,
    path: Path,
    make: Callable[[Instrument], Move],
    *,
    task: str,
    heading: str,
    noun: str,
    given: Sequence[Path] = (),
) -> list[Sound]:
    """Opens the instrument at `path`, renders a move with it, writes, prints and returns the sounds; see `write_batch`.

    make: returns the move of an instrument. given: sound files that it reads.
    """
    moving.check()
    sheet = Sheet() if moving.sheet else None

    def render(instrument: Instrument, **options: Any) -> list[Sound]:
        move = make(instrument)
        if sheet is not None:
            sheet.move = move
        if moving.as_one or move.only_as_one:
            return [move.as_one(moving.seconds, hold=moving.hold, **options)]
        return move.render(**options)

    options = replace(options, reel=options.reel or moving.sheet)
    return write_batch(options, path, render, task=task, heading=heading, noun=noun, inputs=given, given=given, beside=sheet)
