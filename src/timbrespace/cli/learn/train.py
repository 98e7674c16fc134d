"""`timbrespace train FOLDER|CORPUS --out X.safetensors`: from sounds to an instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, Json

if TYPE_CHECKING:
    from timbrespace.training.train import Report

_STAGES = {"prepare": "preparing", "encode": "encoding variations", "codec": "linear codec", "train": "training", "finish": "map and card"}
_STAGES |= {"outer": "training the outer model", "codes": "encoding codes"}


def train(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME", help="Folder of sounds, or a prepared corpus.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Instrument file to write (.safetensors).", show_default=False)] = None,
    preset: Annotated[str, typer.Option("--preset", help="Preset name or .yaml file; `timbrespace presets` lists them.")] = "oneshot",
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time for the whole training; the preset's own if not given.")] = None,
    epochs: Annotated[
        float | None, typer.Option("--epochs", help="Passes over all sounds and variations instead of minutes; repeatable to the bit.")
    ] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")] = None,
    channels: Annotated[int, typer.Option("--channels", help="1 mixes to mono, 2 keeps stereo (for a folder).")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto | cpu | cuda | mps.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same instrument.")] = 0,
    precision: Annotated[str, typer.Option("--precision", help="32 | 16-mixed (GPU) | bf16-mixed.")] = "32",
    devices: Annotated[int, typer.Option("--devices", help="Devices of this machine that share every batch.")] = 1,
    nodes: Annotated[int, typer.Option("--num-nodes", help="Machines that share every batch.")] = 1,
    tensorboard: Annotated[Path | None, typer.Option("--tensorboard", metavar="DIR", help="Write TensorBoard's files too.")] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write a page about the training: losses, errors, copies (.html).")
    ] = None,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Only look for a learning rate: a table, a suggestion, with --out X a picture X.lr.png.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Take up an interrupted run.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train an instrument. Interrupt it whenever you like: --resume takes it up where it was."""
    import os
    import time

    if devices * nodes > 1:  # before torch is loaded: it warns of a flag that only some models need
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.report.info import card_lines
    from timbrespace.contracts import ConfigError
    from timbrespace.parallel import keep_freed_memory
    from timbrespace.training.distributed import is_first
    from timbrespace.training.train import train as run

    keep_freed_memory()
    if find_lr:
        _find_lr(
            source, out, json=json, force=force, preset=preset, minutes=minutes, epochs=epochs, changes=tuple(changes or ()), seed=seed,
            device=device, channels=channels,
        )  # fmt: skip
        return
    if out is None:
        raise ConfigError("--out is missing; give the instrument's name, for instance --out drums.safetensors")
    from timbrespace.cli.common.page import TrainingPage

    about = None if page is None else TrainingPage(page, force=force)
    start = time.perf_counter()
    with watching(quiet=json or not is_first()) as watch:
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
            precision=precision,
            devices=devices,
            nodes=nodes,
            tensorboard=tensorboard,
            **({"watch": watch} if about is None else about.callbacks(watch)),
        )
    took = time.perf_counter() - start
    if not is_first():
        return
    if json:
        print_json(
            {"instrument": str(out), "file_mb": round(out.stat().st_size / 1e6, 2), "seconds": round(took, 1), "card": instrument.card}
        )
        return
    print("\n".join(card_lines(instrument.card)))
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB) in {took:.0f} s")
    print(f"Next: timbrespace generate {out} -n 32 --out new")


def _find_lr(source: str, out: Path | None, *, json: bool, force: bool, **options: Any) -> None:
    """The learning-rate range test: prints, and draws where `out` says."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.training.find_lr import draw, find_lr

    picture = None if out is None else out if out.suffix == ".png" else out.with_name(f"{out.name.removesuffix('.safetensors')}.lr.png")
    if picture is not None:
        check_absent(picture, force=force)
    with watching(quiet=json) as watch:
        curve = find_lr(source, watch=watch, **options)
    if picture is not None:
        draw(curve, picture, force=force)
    if json:
        print_json(curve.report() | ({} if picture is None else {"picture": str(picture)}))
        return
    print("\n".join(curve.lines()))
    if picture is not None:
        print(picture)
    if curve.steepest is not None:
        print(f"Next: timbrespace train {source} --set training.learning_rate={curve.steepest:.2g} --out X.safetensors")


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
            if report.advice:
                print(f"Warning: {report.advice}", file=sys.stderr, flush=True)

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
            if report.advice:
                bar.console.print(f"Warning: {report.advice}", markup=False, highlight=False)
            figures = "".join(f"  {name} {value:.2f} {report.unit}" for name, value in report.figures.items())
            bar.update(
                tasks[report.stage], completed=report.done, total=report.total or None, description=_STAGES[report.stage] + figures  # type: ignore[arg-type]
            )  # fmt: skip

        yield show
