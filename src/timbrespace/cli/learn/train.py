"""`timbrespace train FOLDER|CORPUS --out X.safetensors`: from sounds to an instrument."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import Force, Json
from timbrespace.cli.learn.options import TrainingFlags, corpus_notes, print_skipped
from timbrespace.cli.learn.voices import PRESETS as VOICES

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument
    from timbrespace.training.options import TrainOptions


_SOURCES_HELP = "Folder of sounds, or a prepared corpus; for the presets voices… a folder of recordings for each instrument."


@expand_option_groups
def train(
    sources: Annotated[
        list[str], typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME|NAME=FOLDER", help=_SOURCES_HELP, show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Instrument file to write (.safetensors).", show_default=False)] = None,
    flags: TrainingFlags = TrainingFlags(),
    continue_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="X", help="Continue from this instrument, on its old sounds and the new ones in FOLDER."),
    ] = None,
    devices: Annotated[int, typer.Option("--devices", help="Devices of this machine that share every batch.")] = 1,
    nodes: Annotated[int, typer.Option("--num-nodes", help="Machines that share every batch.")] = 1,
    tensorboard: Annotated[Path | None, typer.Option("--tensorboard", metavar="DIR", help="Also write TensorBoard's files.")] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Write a page about the training (.html): errors, reconstructions."),
    ] = None,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Only test learning rates: print a table and a suggestion; with --out X draw X.lr.png.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    force: Force = False,
    json: Json = False,
    *,
    context: typer.Context,
) -> None:
    """Train an instrument. You can interrupt it at any time and continue with --resume."""
    import os
    from dataclasses import replace

    if devices * nodes > 1:  # before PyTorch is imported: it warns of a flag that only some models need
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from timbrespace.contracts import ConfigError
    from timbrespace.parallel import keep_freed_memory

    keep_freed_memory()
    if flags.preset in VOICES:
        from timbrespace.cli.learn.voices import train_voices

        if out is None:
            raise ConfigError("--out is missing; give the name of the file, for instance --out voices.safetensors")
        given = {name: getattr(context.get_parameter_source(name), "name", "DEFAULT") != "DEFAULT" for name in context.params}
        train_voices(sources, out, flags, force=force, resume=resume, json=json, given=given)
        return
    if len(sources) != 1:
        raise ConfigError(
            f"{len(sources)} sources are given; give one folder or corpus, or NAME=FOLDER … --preset voices for several instruments"
        )
    (source,) = sources
    options = flags.options(
        resume=resume, force=force, devices=devices, nodes=nodes, tensorboard=tensorboard, continue_from=continue_from
    )  # fmt: skip
    if continue_from is not None:
        if find_lr:
            raise ConfigError("--find-lr tests learning rates for a training from scratch; leave out --find-lr or --from")
        if getattr(context.get_parameter_source("preset"), "name", "DEFAULT") == "DEFAULT":
            options = replace(options, preset="")  # the instrument's own settings
    if find_lr:
        _find_lr(source, out, options, flags, json=json)
    elif out is None:
        raise ConfigError("--out is missing; give the instrument's name, for instance --out drums.safetensors")
    else:
        _train(source, out, options, page=page, json=json)


def _train(source: str, out: Path, options: TrainOptions, *, page: Path | None, json: bool) -> None:
    """Trains, and prints the card; of several processes only the first one prints."""
    import time
    from dataclasses import replace

    from timbrespace.cli.common.page import TrainingPage
    from timbrespace.cli.learn.progress import showing_progress
    from timbrespace.training.callbacks import TrainingCallbacks
    from timbrespace.training.distributed import is_first
    from timbrespace.training.train import train as train_instrument

    page_writer = None if page is None else TrainingPage(page, force=options.force)
    skipped: list[dict[str, str]] = []
    notes: list[str] = []
    start = time.perf_counter()
    quiet = json or not is_first()
    with showing_progress(quiet=quiet, plan=lambda: _plan(options)) as show:
        callbacks = TrainingCallbacks(on_progress=show) if page_writer is None else page_writer.callbacks(show)
        write_page = callbacks.on_finish

        def on_finish(instrument: Instrument, corpus: Corpus) -> None:
            skipped.extend(corpus.skipped())  # the corpus may be in the working folder, which is deleted next
            notes.extend(corpus_notes(corpus))
            write_page(instrument, corpus)

        instrument = train_instrument(source, out, options, callbacks=replace(callbacks, on_finish=on_finish))
    if is_first():
        _print_result(instrument, out, skipped, notes, seconds=time.perf_counter() - start, json=json)


def _plan(options: TrainOptions) -> str:
    """Returns how long the training takes; "" where it is not known."""
    minutes = options.minutes
    if minutes is None and options.epochs is None and options.continue_from is None and options.outer is None:
        settings = options.config().training
        minutes = settings.minutes if settings.epochs is None else None
    if minutes is None:
        return ""
    how = "Ctrl-C stops it, and the same command with --resume continues"
    more = " and half a minute for map and card" if minutes < 2 else ""  # longer trainings leave time for them
    return f"about {minutes:g} min{more}; {how}"


def _print_result(
    instrument: Instrument, out: Path, skipped: list[dict[str, str]], notes: list[str], *, seconds: float, json: bool
) -> None:
    """Prints the card, notes about the corpus, the files that were passed over, and the next command."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.cli.report.info import card_lines, note_lines
    from timbrespace.report.advice import advice_lines

    advice = advice_lines(instrument.card, instrument.contents.settings)
    megabytes = out.stat().st_size / 1e6
    if json:
        print_json(
            {
                "instrument": str(out),
                "file_mb": round(megabytes, 2),
                "seconds": round(seconds, 1),
                "card": instrument.card,
                "advice": advice,
                "skipped": skipped,
                "notes": notes,
            }
        )
        return
    print("\n".join([*card_lines(instrument.card), *note_lines([*advice, *notes])]))
    print_skipped(skipped)
    print(f"{printable(out)} ({megabytes:.1f} MB) in {seconds:.0f} s")
    print(f"Next: {command_line('timbrespace', 'generate', out, '-n', 32, '--out', 'new', '--page')}")
    print(f"Play it in a browser: {command_line('timbrespace', 'export', out, '--out', f'{out.stem}.html')}")
    print(f"The figures of the card: {command_line('timbrespace', 'info', out)}")


def _find_lr(source: str, out: Path | None, options: TrainOptions, flags: TrainingFlags, *, json: bool) -> None:
    """Runs the learning-rate range test, prints its table, and draws the curve if there is a path for it."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import command_line
    from timbrespace.cli.learn.progress import showing_progress
    from timbrespace.tuning.learning_rate import draw, find_lr

    picture = None if out is None else out if out.suffix == ".png" else out.with_name(f"{out.name.removesuffix('.safetensors')}.lr.png")
    if picture is not None:
        check_absent(picture, force=options.force)
    with showing_progress(quiet=json) as show:
        curve = find_lr(source, options, on_progress=show)
    if picture is not None:
        draw(curve, picture, force=options.force)
    if json:
        print_json(curve.report() | ({} if picture is None else {"picture": str(picture)}) | {"skipped": curve.skipped})
        return
    print("\n".join(curve.lines()))
    print_skipped(curve.skipped)
    if picture is not None:
        print(picture)
    if curve.steepest is not None:
        target = out if out is not None and out.suffix == ".safetensors" else "X.safetensors"
        words = flags.words(change=f"training.learning_rate={curve.steepest:.2g}")
        print(f"Next: {command_line('timbrespace', 'train', source, *words, '--out', target)}")
