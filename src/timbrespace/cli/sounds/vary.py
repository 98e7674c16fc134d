"""`timbrespace vary X FILE -n 8 --amount 0.3 --out DIR`: variations of one sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions, write_batch


@expand_option_groups
def vary(
    instrument: InstrumentPath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sound to vary.", show_default=False)],
    count: Annotated[int, typer.Option("-n", "--count", help="Number of variations.")] = 8,
    amount: Annotated[float, typer.Option("--amount", help="0 the sound itself … 1 as different as its category allows.")] = 0.3,
    seed: Seed = 0,
    *,
    options: BatchOptions,
) -> None:
    """Make variations of one of your sounds."""
    write_batch(
        options,
        instrument,
        lambda opened, **render: opened.vary(opened.given(file, named=not options.anonymous), count, amount=amount, seed=seed, **render),
        task="varying",
        heading="Variations",
        noun="variation",
        inputs=[file],
        given=[file],
    )
