"""`timbrespace train FOLDER|CORPUS --out X.safetensors`: from sounds to an instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrespace.cli.common import Force, Json

if TYPE_CHECKING:
    from timbrespace.training.train import Report

_STAGES = {"prepare": "preparing", "encode": "encoding variations", "codec": "linear codec", "train": "training", "finish": "map and card"}


def train(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME", help="Folder of sounds, or a prepared corpus.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Instrument file to write (.safetensors).", show_default=False)],
    preset: Annotated[str, typer.Option("--preset", help="Preset name or .yaml file; `timbrespace presets` lists them.")] = "oneshot",
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time for the whole training; the preset's own if not given.")] = None,
    epochs: Annotated[
        float | None, typer.Option("--epochs", help="Passes over all sounds and variations instead of minutes; repeatable to the bit.")
    ] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")] = None,
    channels: Annotated[int, typer.Option("--channels", help="1 mixes to mono, 2 keeps stereo (for a folder).")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto | cpu | cuda | mps.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same instrument.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Take up an interrupted run.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train an instrument. Interrupt it whenever you like: --resume takes it up where it was."""
    import time

    from timbrespace.cli.common_corpus import print_json
    from timbrespace.cli.info import card_lines
    from timbrespace.training.train import train as run

    start = time.perf_counter()
    with watching(quiet=json) as watch:
        instrument = run(
            source,
            out,
            preset=preset,
            minutes=minutes,
            epochs=epochs,
            changes=tuple(changes or ()),
            seed=seed,
            device=device,
            channels=channels,
            resume=resume,
            force=force,
            watch=watch,
        )
    took = time.perf_counter() - start
    if json:
        print_json(
            {"instrument": str(out), "file_mb": round(out.stat().st_size / 1e6, 2), "seconds": round(took, 1), "card": instrument.card}
        )
        return
    print("\n".join(card_lines(instrument.card)))
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB) in {took:.0f} s")
    print(f"Next: timbrespace generate {out} -n 32 --out new")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[Report], None]]:
    """Gives a watcher for `train`: a bar on the error stream with the time left on a terminal, a line a stage elsewhere."""
    import sys

    if quiet:
        yield lambda report: None
        return
    if not sys.stderr.isatty():
        seen: list[str] = []

        def plain(report: Report) -> None:
            if report.stage not in seen:
                seen.append(report.stage)
                print(_STAGES[report.stage] + " …", file=sys.stderr, flush=True)

        yield plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def show(report: Report) -> None:
            if report.stage not in tasks:
                for task in tasks.values():
                    bar.stop_task(task)  # type: ignore[arg-type]
                tasks[report.stage] = bar.add_task(_STAGES[report.stage], total=None)
            figures = "".join(f"  {name} {value:.2f} dB" for name, value in report.figures.items())
            bar.update(
                tasks[report.stage], completed=report.done, total=report.total or None, description=_STAGES[report.stage] + figures  # type: ignore[arg-type]
            )  # fmt: skip

        yield show
