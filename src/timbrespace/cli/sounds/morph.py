"""`timbrespace morph X A B [C …] --steps 8 --out DIR`: steps from one sound to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions
from timbrespace.cli.sounds.moving import MovingOptions, write_move
from timbrespace.cli.sounds.recordings import OverTimeOptions, write_recordings

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.space.moves.move import Move
    from timbrespace.synthesis.transfer.job import Job


@expand_option_groups
def morph(
    instrument: InstrumentPath,
    files: Annotated[list[Path], typer.Argument(metavar="A B [C …]", help="Two sounds or more.", show_default=False)],
    steps: Annotated[int, typer.Option("--steps", help="Number of sounds, both ends included.")] = 8,
    spline: Annotated[bool, typer.Option("--spline", help="Go through the sounds on a smooth curve, not in straight lines.")] = False,
    slerp: Annotated[bool, typer.Option("--slerp", help="Go on arcs about the middle of the latent space, not in straight lines.")] = False,
    *,
    over: OverTimeOptions,
    moving: MovingOptions,
    seed: Seed = 0,
    options: BatchOptions,
) -> None:
    """Interpolate from one sound to another, through others if given: every step, one sound that moves, or whole recordings over time."""
    from timbrespace.contracts import ConfigError

    if spline and slerp:
        raise ConfigError("--spline and --slerp are two ways between the same sounds; give one of them")
    over.check()
    if over.over_time:
        if spline or slerp or moving.as_one or moving.sheet or moving.seconds is not None:
            raise ConfigError("--over-time makes one recording; --spline, --slerp, --as-one, --seconds and --sheet do not belong to it")
        _over_time(instrument, files, over, seed, options)
        return
    name = "morph" if options.anonymous else f"{files[0].stem} to {files[-1].stem}"

    def make(opened: Instrument) -> Move:
        given = [opened.given(file, named=not options.anonymous) for file in files]
        way = opened.moves.spline if spline else opened.moves.slerp if slerp else opened.moves.line
        return way(given, steps, seed=seed, name=name)

    write_move(options, moving, instrument, make, task="morphing", heading="Steps of the morph", noun="step", given=files)


def _over_time(path: Path, files: list[Path], over: OverTimeOptions, seed: int, options: BatchOptions) -> None:
    """Writes a morph of recordings while they sound."""
    from timbrespace.synthesis.names import safe_name
    from timbrespace.synthesis.transfer import job

    def make(opened: Instrument) -> tuple[list[Job], list[str]]:
        made = job.morph(
            opened.contents, files, curve=over.values, align=over.align, stretch=over.stretch, seed=seed, named=not options.anonymous
        )
        return [made], [safe_name(made.stem)]

    write_recordings(options, path, make, task="morphing", heading="Morph over time", noun="morph", inputs=files)
