"""`timbrespace tune FOLDER|CORPUS --preset P --trials N --out DIR`: searches for the settings that learn best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import Force, Json, OutFolder
from timbrespace.cli.learn.options import Source, TrainingFlags, corpus_notes, print_skipped


@expand_option_groups
def tune(
    source: Source,
    out: OutFolder,
    flags: TrainingFlags = TrainingFlags(),
    trials: Annotated[int, typer.Option("--trials", help="Trials in all; those of earlier runs count.")] = 20,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="KEY=RANGE", help="4..64:int:log | 0..0.5 | 64,128,256 (a choice); repeatable."),
    ] = None,
    space: Annotated[
        Path | None, typer.Option("--space", metavar="FILE", help="Ranges as YAML. Without it and --range: the preset's `tune` section.")
    ] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe | gp (Gaussian process) | grid | random.")] = "tpe",
    prune: Annotated[
        str, typer.Option("--prune", help="Rule that ends trials early: median | trend | threshold | both | none.")
    ] = "median",
    cut: Annotated[str | None, typer.Option("--cut", hidden=True, help="Old name of --prune.")] = None,
    factor: Annotated[float, typer.Option("--factor", help="threshold: this many times worse than the best at the same epoch.")] = 3.0,
    limit: Annotated[float | None, typer.Option("--limit", help="Parameters, for instance 20e6; larger models are refused.")] = None,
    overfit: Annotated[float, typer.Option("--overfit", help="Weight of validation / train - 1 in the objective.")] = 0.0,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URL", help="Database that several machines share; DIR/study.db if not given.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="Name in the storage; follows from the settings if not given.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Search for settings. The same command again continues after a break; on several machines it shares the work."""
    import sys

    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.parallel import keep_freed_memory
    from timbrespace.tuning.options import TuneOptions
    from timbrespace.tuning.tune import tune as run

    keep_freed_memory()
    options = TuneOptions(
        trials=trials, ranges=tuple(ranges or ()), space=space, sampler=sampler, prune=cut or prune, factor=factor, limit=limit,
        overfit=overfit, storage=storage, study=study,
    )  # fmt: skip
    timed = _with_time_left(trials)
    result = run(
        source, out, options, flags.options(force=force),
        on_trial=lambda line: None if json else print(timed(line), file=sys.stderr, flush=True),
    )  # fmt: skip
    skipped, notes = result.corpus.skipped(), corpus_notes(result.corpus)
    if json:
        files = [str(path) for path in result.files]
        print_json({"trials": result.table, "best": result.best and str(result.best), "files": files, "skipped": skipped, "notes": notes})
        return
    print("\n".join(map(printable, [*result.lines, *notes])))
    print_skipped(skipped)
    print("written: " + ", ".join(str(path) for path in result.files))
    if result.best is not None:
        words = flags.words(preset=result.best)
        print(f"Next: {command_line('timbrespace', 'train', source, *words, '--out', 'X.safetensors')}")


def _with_time_left(trials: int) -> Callable[[str], str]:
    """Returns a function that adds to the line of a trial how long the others take, by those of this run. trials: in all."""
    import re
    import time

    from timbrespace.cli.common.amount import duration_text

    started, done = time.monotonic(), 0

    def timed(line: str) -> str:
        nonlocal done
        trial = re.match(r"trial (\d+):", line)
        left = 0 if trial is None else trials - 1 - int(trial[1])
        if left <= 0:
            return line
        done += 1
        return f"{line}; {left} more: about {duration_text(left * (time.monotonic() - started) / done)}"

    return timed
