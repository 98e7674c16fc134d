"""`timbrespace vary X FILE -n 8 --amount 0.3 --out DIR`: neighbours of one sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json, Level, OutFolder, Rate, Seed, Subtype


def vary(
    instrument: InstrumentPath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sound to vary.", show_default=False)],
    out: OutFolder,
    count: Annotated[int, typer.Option("-n", "--count", help="How many variations.")] = 8,
    amount: Annotated[float, typer.Option("--amount", help="0 the sound itself … 1 as different as its kind allows.")] = 0.3,
    seed: Seed = 0,
    level: Level = "peak",
    subtype: Subtype = "PCM_24",
    rate: Rate = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make variations of one of your sounds."""
    from timbrespace.cli.common.corpus import counting
    from timbrespace.cli.common.options import check_outputs, open_instrument, save_sounds, tell

    check_outputs(out, subtype=subtype)
    opened = open_instrument(instrument)
    with counting("varying", quiet=json) as progress:
        sounds = opened.vary(
            opened.read(file), count, amount=amount, seed=seed, name=file.stem, level=level, out_rate=rate, progress=progress  # type: ignore[arg-type]
        )  # fmt: skip
    tell(sounds, save_sounds(sounds, out, subtype=subtype, force=force, inputs=[file, instrument]), as_json=json)
