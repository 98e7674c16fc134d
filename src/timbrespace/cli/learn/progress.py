"""The progress of a training in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbrespace.training.callbacks import Progress

_STAGES = {
    "prepare": "preparing",
    "encode": "encoding variations",
    "codec": "linear codec",
    "weights": "first weights",
    "codes": "encoding codes",
    "train": "training",
    "finish": "map and card",
}


def _label(stage: str) -> str:
    """Returns the words for a stage, such as "encoding variations"; for a model's own, "training the outer model"."""
    return _STAGES.get(stage, f"training the {stage} model")


@contextmanager
def showing_progress(*, quiet: bool, plan: Callable[[], str] = str) -> Iterator[Callable[[Progress], None]]:
    """An `on_progress` callback: on a terminal a progress bar with the time left, elsewhere a line a stage, both on stderr.

    plan: gives a line that is printed before the first of them, when the sounds are found and the settings are right.
    """
    import sys

    if quiet:
        yield lambda progress: None
    elif not sys.stderr.isatty():
        yield _after(plan, _line_per_stage(), lambda line: print(line, file=sys.stderr, flush=True))
    else:
        with _progress_bar() as (show, say):
            yield _after(plan, show, say)


def _after(plan: Callable[[], str], show: Callable[[Progress], None], say: Callable[[str], None]) -> Callable[[Progress], None]:
    """Returns `show`, with the plan said before its first call."""
    said = False

    def both(progress: Progress) -> None:
        nonlocal said
        if not said and (line := plan()):
            say(line)
        said = True
        show(progress)

    return both


def _line_per_stage() -> Callable[[Progress], None]:
    """A callback that prints the name of every new stage, and warnings."""
    import sys

    seen: set[str] = set()

    def show(progress: Progress) -> None:
        if progress.stage not in seen:
            seen.add(progress.stage)
            print(_label(progress.stage) + " …", file=sys.stderr, flush=True)
        if progress.note:
            print(progress.note, file=sys.stderr, flush=True)
        if progress.advice:
            print(f"Warning: {progress.advice}", file=sys.stderr, flush=True)

    return show


@contextmanager
def _progress_bar() -> Iterator[tuple[Callable[[Progress], None], Callable[[str], None]]]:
    """A callback that draws a bar a stage, with the time left and the newest errors, and prints warnings above it."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    from timbrespace.cli.common.amount import Amount

    with Bars(TextColumn("{task.description:<40}"), BarColumn(24), Amount(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            stage = progress.stage
            if stage not in tasks:
                for task in tasks.values():
                    bars.stop_task(task)
                tasks[stage] = bars.add_task(_label(stage), total=None)
            if progress.note:
                bars.console.print(progress.note, markup=False, highlight=False)
            if progress.advice:
                bars.console.print(f"Warning: {progress.advice}", markup=False, highlight=False)
            errors = "".join(f"  {name} {value:.2f} {progress.unit}" for name, value in progress.metrics.items() if stage != "finish")
            bars.update(tasks[stage], completed=progress.done, total=progress.total or None, description=_label(stage) + errors)

        yield show, lambda line: bars.console.print(line, markup=False, highlight=False)
