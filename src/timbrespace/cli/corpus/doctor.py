"""`timbrespace doctor FOLDER`: examines a folder of sounds and says what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from timbrespace.corpus.doctor.report import Report

_LISTED = 12  # notes and categories shown on screen; --json has all
_LONGEST = 200  # letters of a name on screen


def doctor(
    folder: Annotated[Path, typer.Argument(help="Folder of sound files, including its sub-folders.", show_default=False)],
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME=PATTERN",
            help="Category by file name, such as 'kick=*bd*', or the list of categories source-b; repeatable.",
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option("--layout", help="auto | folder | table | musicnet | nsynth | urbansound8k | esc50: whose tables give the labels."),
    ] = "auto",
    pitch_names: Annotated[
        str,
        typer.Option(
            "--pitch-names", help="auto | c4 | c3 | c5 | off: compare notes in names with the sound, or read them by this middle C."
        ),
    ] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON and nothing else.")] = False,
) -> None:
    """Examine a folder of sounds: counts, lengths, damage, duplicates, silence, categories, and what to do about each."""
    from timbrespace.cli.common.corpus import parse_rules, print_json, progress_bar
    from timbrespace.corpus.doctor.doctor import doctor as examine_folder

    rules = parse_rules(rule)
    with progress_bar("examining", quiet=json) as progress:
        report = examine_folder(folder, rules=rules, layout=layout, pitch_names=pitch_names, progress=progress)
    if json:
        print_json(report.as_dict())
        return
    from rich.console import Console

    _print(report, Console(highlight=False, soft_wrap=True))


def _print(report: Report, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from timbrespace.cli.common.text import hanging, printable, remark_lines, skipped_lines

    lengths = report.lengths
    counts = f"{report.files} sound files, {report.usable} usable, {report.total_seconds:.0f} s in all"
    console.print(f"[bold]{escape(printable(report.folder))}[/bold]: {counts}")
    table = Table.grid(padding=(0, 2))
    if lengths:
        line = (
            f"{lengths['min']:.3f} s shortest, {lengths['median']:.2f} median, {lengths['p95']:.2f} at 95 %, {lengths['max']:.2f} longest"
        )
        table.add_row("length", line)
    table.add_row("formats", _line(report.formats))
    table.add_row("rates (Hz)", _line(report.sample_rates))
    table.add_row("channels", _line(report.channels))
    kinds = dict(list(report.categories.items())[: 2 * _LISTED])
    more = f", {len(report.categories) - len(kinds)} more" if len(report.categories) > len(kinds) else ""
    table.add_row("categories", (_line(kinds) or "none") + more + (f", none for {report.uncategorised}" if report.uncategorised else ""))
    if report.instruments and report.instruments != report.categories:
        table.add_row("instruments", _line(dict(list(report.instruments.items())[: 2 * _LISTED])))
    table.add_row("pitches", _line(report.pitches) or "none")
    for vote in report.pitch_names:
        table.add_row("", escape(printable(vote["text"])))
    if report.layout != "folder":
        table.add_row("layout", f"{report.layout}; labels are read from its tables")
    console.print(table)
    colours = {"problem": "red", "advice": "yellow", "note": "cyan"}
    for finding in report.findings:
        first = f" [dim]({escape(_shown(finding.files[0]))}{' …' if finding.count > 1 else ''})[/dim]" if finding.files else ""
        console.print(f"[{colours[finding.level]}]{finding.level:8}[/]{finding.count:6} {escape(finding.what)}{first}")
        for line in hanging(f"{'':15}→ ", finding.do):
            console.print(escape(line))
    for line in skipped_lines([*report.unreadable, *report.tables], rest="--json lists all"):
        console.print(escape(line), style="red", soft_wrap=True)
    for line in remark_lines(report.remarks, rest="--json lists all"):
        console.print(escape(line), style="yellow", soft_wrap=True)
    console.print(
        f"Examined in {report.took_seconds:.1f} s. On this machine prepare needs about {report.prepare_seconds:.0f} s, and train "
        f"{report.train_minutes:g} minutes, unless --minutes says otherwise."
    )


def _line(counts: dict[str, int]) -> str:
    from rich.markup import escape

    from timbrespace.cli.common.text import printable

    return ", ".join(f"{escape(printable(name))} {count}" for name, count in counts.items())


def _shown(names: str) -> str:
    """The first name of a finding, at most 200 letters: it may be a set of thousands of equal files."""
    from timbrespace.cli.common.text import printable

    return printable(names if len(names) <= _LONGEST else f"{names[:_LONGEST]}…")
