"""`timbrespace tune FOLDER|CORPUS --preset P --trials N --out DIR`: looks for the settings that learn best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.options import Force, Json, OutFolder


def tune(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME", help="Folder of sounds, or a prepared corpus.", show_default=False)
    ],
    out: OutFolder,
    preset: Annotated[str, typer.Option("--preset", help="Preset name or .yaml file that the search begins from.")] = "oneshot",
    trials: Annotated[int, typer.Option("--trials", help="Trials in all, those of earlier runs among them.")] = 20,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="KEY=RANGE", help="4..64:int:log | 0..0.5 | 64,128,256 (a choice); repeatable."),
    ] = None,
    space: Annotated[
        Path | None, typer.Option("--space", metavar="FILE", help="Ranges as YAML. Without it and --range: the preset's `tune` section.")
    ] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe | gp (Gaussian process) | grid | random.")] = "tpe",
    cut: Annotated[str, typer.Option("--cut", help="Trials that end early: median | behind | both | none.")] = "median",
    factor: Annotated[float, typer.Option("--factor", help="behind: so many times worse than the best at the same epoch.")] = 3.0,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time for every trial; the preset's own if not given.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes of every trial instead of minutes; repeatable.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")] = None,
    limit: Annotated[float | None, typer.Option("--limit", help="Parameters, for instance 20e6; larger models are refused.")] = None,
    overfit: Annotated[float, typer.Option("--overfit", help="Weight of validation / train - 1 in the objective.")] = 0.0,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URL", help="Database that several machines share; DIR/study.db if not given.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="Name in the storage; follows from the settings if not given.")] = None,
    channels: Annotated[int, typer.Option("--channels", help="1 mixes to mono, 2 keeps stereo (for a folder).")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto | cpu | cuda | mps.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same search (with --epochs, one process).")] = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Search for settings. Run the same command again to go on after a break; run it on several machines to share the work."""
    import sys

    from timbrespace.cli.common.corpus import print_json
    from timbrespace.parallel import keep_freed_memory
    from timbrespace.tuning.tune import tune as run

    keep_freed_memory()
    found = run(
        source,
        out,
        preset=preset,
        trials=trials,
        ranges=tuple(ranges or ()),
        space=space,
        sampler=sampler,
        cut=cut,
        factor=factor,
        minutes=minutes,
        epochs=epochs,
        changes=tuple(changes or ()),
        limit=limit,
        overfit=overfit,
        storage=storage,
        study=study,
        seed=seed,
        device=device,
        channels=channels,
        force=force,
        told=lambda line: None if json else print(line, file=sys.stderr, flush=True),
    )
    if json:
        print_json({"trials": found.table, "best": found.best and str(found.best), "files": [str(path) for path in found.files]})
        return
    print("\n".join(found.lines))
    print("written: " + ", ".join(str(path) for path in found.files))
    if found.best is not None:
        print(f"Next: timbrespace train {source} --preset {found.best} --out X.safetensors")
