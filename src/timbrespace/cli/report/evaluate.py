"""`timbrespace evaluate X [Y …] FOLDER --out report.html`: instruments, measured on a folder of sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, Json

if TYPE_CHECKING:
    from timbrespace.report.evaluation.tables import Table

_PATHS_HELP = "Instrument files (.safetensors), then the folder of sounds or the corpus to measure them on."
_TRAINING_HELP = "Folder or corpus that the instruments were trained on, for the rows of plain PCA and of the nearest training sound."
_NEW_HELP = "New sounds of each instrument, compared with real ones; 0: none. Default: 200, with --quick 48."


def evaluate(
    paths: Annotated[list[Path], typer.Argument(metavar="INSTRUMENT [INSTRUMENT …] FOLDER", help=_PATHS_HELP, show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Page to write.", show_default=False)] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE.json", help="Also write all figures as JSON.", show_default=False)
    ] = None,
    new: Annotated[int | None, typer.Option("-n", "--new", min=0, max=5_000, help=_NEW_HELP, show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure fewer sounds: rough figures in about a third of the time.")] = False,
    training: Annotated[Path | None, typer.Option("--training", metavar="FOLDER", help=_TRAINING_HELP, show_default=False)] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="Random seed of the new sounds and of the choice of sounds.")
    ] = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Measure how good instruments are, on sounds of your own, in words and in figures; several side by side."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.contracts import ConfigError

    if len(paths) < 2:
        raise ConfigError("give an instrument (or several) and then a folder of sounds: timbrespace evaluate X.safetensors FOLDER")
    *files, folder = paths
    if wrong := [path for path in paths if path.suffix.lower() in (".json", ".html", ".htm") and not path.is_dir()]:
        raise ConfigError(f"{wrong[0]} is no instrument and no folder of sounds; write the page with --out, the figures with --data")
    if folder.suffix == ".safetensors" and folder.is_file():
        raise ConfigError(f"{folder} is an instrument; the folder of sounds, or a corpus, comes last")
    targets = [target for target, suffixes in ((out, (".html", ".htm")), (data, (".json",))) if _checked(target, suffixes)]
    check_not_inputs([target for target in targets if target is not None], files)
    for target in targets:
        if target is not None:
            check_absent(target, force=force)
    from timbrespace.evaluation.evaluate import evaluate as measure
    from timbrespace.report.evaluation.words import unmeasured, words

    with progress_bar("measuring", quiet=json) as progress:
        evaluation = measure(list(files), folder, new=new, quick=quick, training=training, seed=seed, progress=progress)
    for one in evaluation.values["instruments"]:
        one["in_words"] = [line._asdict() for line in words(one)]
        one["not_measured"] = unmeasured(one)
    if data is not None:
        evaluation.save(data, force=force)
    if out is not None:
        from timbrespace.report.evaluation.page import write_evaluation

        write_evaluation(evaluation, out, force=force)
    if json:
        print_json(evaluation.values)
        return
    _print(evaluation.values, out, data)


def _checked(target: Path | None, suffixes: tuple[str, ...]) -> bool:
    """Whether a file is to be written. Raises ConfigError for a name with another suffix."""
    from timbrespace.contracts import ConfigError

    if target is not None and target.suffix.lower() not in suffixes:
        raise ConfigError(f"{target.name!r} is to be written; its name must end in {' or '.join(suffixes)}")
    return target is not None


def _print(values: dict[str, Any], out: Path | None, data: Path | None) -> None:
    """Prints every instrument in words, the figures side by side, and what was written."""
    from timbrespace.cli.common.text import printable, skipped_lines
    from timbrespace.cli.report.info import verdict_lines
    from timbrespace.report.evaluation.tables import side_by_side
    from timbrespace.wording import counted

    sounds = values["sounds"]
    left = f", {counted(sounds['left_out'], 'file')} left out to stay quick" if sounds["left_out"] else ""
    print(printable(f"{counted(sounds['used'], 'sound')} of {sounds['name']}{left}"))
    for line in skipped_lines(values["skipped"], rest="--json lists all"):
        print(line)
    for one in values["instruments"]:
        print()
        print(printable(one["name"]))
        for line in one["in_words"]:
            print("\n".join(verdict_lines(line["about"], line["word"], line["text"], indent="  ")))
        for name, reason in one["not_measured"].items():
            print("\n".join(verdict_lines(name, "not measured", reason, indent="  ")))
    print()
    _print_table(side_by_side(values))
    for label, path in (("page", out), ("figures", data)):
        if path is not None:
            print(f"{label}: {printable(path)}")


def _print_table(table: Table) -> None:
    from timbrespace.cli.common.text import printable
    from timbrespace.report.evaluation.tables import text_lines

    print(table.title)
    for line in text_lines(table):
        print(printable(line))
    if table.note:
        print(printable(f"  {table.note}"))
