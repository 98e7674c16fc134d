"""`timbrespace morph X A B [C …] --steps 8 --out DIR`: from one sound to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json, Level, OutFolder, Rate, Seed, Subtype


def morph(
    instrument: InstrumentPath,
    files: Annotated[list[Path], typer.Argument(metavar="A B [C …]", help="Two sounds or more.", show_default=False)],
    out: OutFolder,
    steps: Annotated[int, typer.Option("--steps", help="How many sounds, both ends included.")] = 8,
    seed: Seed = 0,
    level: Level = "peak",
    subtype: Subtype = "PCM_24",
    rate: Rate = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Walk from one sound to another, through others if you like, and write every step."""
    from timbrespace.cli.common.corpus import counting
    from timbrespace.cli.common.options import check_outputs, open_instrument, save_sounds, tell

    check_outputs(out, subtype=subtype)
    opened = open_instrument(instrument)
    sounds_in = [opened.read(file) for file in files]
    name = " to ".join(file.stem for file in (files[0], files[-1]))
    with counting("morphing", quiet=json) as progress:
        sounds = opened.morph(
            sounds_in, steps, seed=seed, name=name, level=level, out_rate=rate, progress=progress  # type: ignore[arg-type]
        )  # fmt: skip
    tell(sounds, save_sounds(sounds, out, subtype=subtype, force=force, inputs=[*files, instrument]), as_json=json)
