"""`timbrespace morph X A B [C …] --steps 8 --out DIR`: steps from one sound to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions, write_batch


@expand_option_groups
def morph(
    instrument: InstrumentPath,
    files: Annotated[list[Path], typer.Argument(metavar="A B [C …]", help="Two sounds or more.", show_default=False)],
    steps: Annotated[int, typer.Option("--steps", help="Number of sounds, both ends included.")] = 8,
    seed: Seed = 0,
    *,
    options: BatchOptions,
) -> None:
    """Interpolate from one sound to another, through others if given, and write every step."""
    name = "morph" if options.anonymous else f"{files[0].stem} to {files[-1].stem}"
    write_batch(
        options,
        instrument,
        lambda opened, **render: opened.morph(
            [opened.given(file, named=not options.anonymous) for file in files], steps, seed=seed, name=name, **render
        ),
        task="morphing",
        heading="Steps of the morph",
        noun="step",
        inputs=files,
        given=files,
    )
