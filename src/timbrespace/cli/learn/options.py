"""Flags that `train` and `tune` share; they fill `TrainOptions`, which documents them in full."""

from __future__ import annotations

from typing import Annotated

import typer

Source = Annotated[
    str, typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME", help="Folder of sounds, or a prepared corpus.", show_default=False)
]
Preset = Annotated[str, typer.Option("--preset", help="Preset name or .yaml file; `timbrespace presets` lists the names.")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="Time for each training; the preset's minutes if not given.")]
Epochs = Annotated[
    float | None,
    typer.Option("--epochs", help="Passes over all examples (sounds and variations), instead of minutes; repeatable to the bit."),
]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")]
Channels = Annotated[int, typer.Option("--channels", help="1 mixes a folder to mono, 2 keeps stereo.")]
Device = Annotated[str, typer.Option("--device", help="auto | cpu | cuda | mps.")]
TrainingSeed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed (and --epochs) gives the same result.")]
Precision = Annotated[str, typer.Option("--precision", help="32 | 16-mixed (GPU) | bf16-mixed.")]
