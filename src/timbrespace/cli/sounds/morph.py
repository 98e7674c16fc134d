"""`timbrespace morph X A B [C …] --steps 8 --out DIR`: steps from one sound to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions
from timbrespace.cli.sounds.moving import MovingOptions, write_move

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.space.moves.move import Move


@expand_option_groups
def morph(
    instrument: InstrumentPath,
    files: Annotated[list[Path], typer.Argument(metavar="A B [C …]", help="Two sounds or more.", show_default=False)],
    steps: Annotated[int, typer.Option("--steps", help="Number of sounds, both ends included.")] = 8,
    spline: Annotated[bool, typer.Option("--spline", help="Go through the sounds on a smooth curve, not in straight lines.")] = False,
    slerp: Annotated[bool, typer.Option("--slerp", help="Go on arcs about the middle of the latent space, not in straight lines.")] = False,
    *,
    moving: MovingOptions,
    seed: Seed = 0,
    options: BatchOptions,
) -> None:
    """Interpolate from one sound to another, through others if given, and write every step, or one sound that moves."""
    from timbrespace.contracts import ConfigError

    if spline and slerp:
        raise ConfigError("--spline and --slerp are two ways between the same sounds; give one of them")
    name = "morph" if options.anonymous else f"{files[0].stem} to {files[-1].stem}"

    def make(opened: Instrument) -> Move:
        given = [opened.given(file, named=not options.anonymous) for file in files]
        way = opened.moves.spline if spline else opened.moves.slerp if slerp else opened.moves.line
        return way(given, steps, seed=seed, name=name)

    write_move(options, moving, instrument, make, task="morphing", heading="Steps of the morph", noun="step", given=files)
