"""`timbrespace doctor FOLDER`: what is in there, what is wrong with it, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from timbrespace.corpus.doctor import Report

_LISTED = 12  # skipped files and categories shown on screen; --json has all


def doctor(
    folder: Annotated[Path, typer.Argument(help="Folder of sound files, searched with all folders in it.", show_default=False)],
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME=PATTERN", help="Category by file name, such as 'kick=*bd*'; repeatable.")
    ] = None,
    layout: Annotated[
        str,
        typer.Option("--layout", help="auto | folder | table | musicnet | nsynth | urbansound8k | esc50: whose own labels are read."),
    ] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON and nothing else.")] = False,
) -> None:
    """Counts, lengths, damage, duplicates, silence and categories of a folder of sounds, each with what to do."""
    from timbrespace.cli.common.corpus import counting, parse_rules, print_json
    from timbrespace.corpus.doctor import doctor as examine

    rules = parse_rules(rule)
    with counting("looking at", quiet=json) as progress:
        report = examine(folder, rules=rules, layout=layout, progress=progress)
    if json:
        print_json(report.as_dict())
        return
    from rich.console import Console

    _print(report, Console(highlight=False, soft_wrap=True))


def _print(report: Report, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    figures = report.lengths
    console.print(
        f"[bold]{escape(report.folder)}[/bold]: {report.files} sound files, {report.usable} usable, {report.total_seconds:.0f} s in all"
    )
    facts = Table.grid(padding=(0, 2))
    if figures:
        line = (
            f"{figures['min']:.3f} s shortest, {figures['median']:.2f} median, {figures['p95']:.2f} at 95 %, {figures['max']:.2f} longest"
        )
        facts.add_row("length", line)
    facts.add_row("formats", _line(report.formats))
    facts.add_row("rates (Hz)", _line(report.sample_rates))
    facts.add_row("channels", _line(report.channels))
    kinds = dict(list(report.categories.items())[: 2 * _LISTED])
    more = f", {len(report.categories) - len(kinds)} more" if len(report.categories) > len(kinds) else ""
    facts.add_row("categories", (_line(kinds) or "none") + more + (f", none for {report.uncategorised}" if report.uncategorised else ""))
    if report.instruments and report.instruments != report.categories:
        facts.add_row("instruments", _line(dict(list(report.instruments.items())[: 2 * _LISTED])))
    facts.add_row("pitches", _line(report.pitches) or "none")
    if report.layout != "folder":
        facts.add_row("layout", f"{report.layout}, labels are read from its tables")
    console.print(facts)
    colours = {"problem": "red", "advice": "yellow", "note": "cyan"}
    for finding in report.findings:
        first = f" [dim]({escape(finding.files[0])}{' …' if finding.count > 1 else ''})[/dim]" if finding.files else ""
        console.print(f"[{colours[finding.level]}]{finding.level:8}[/]{finding.count:6} {escape(finding.what)}{first}")
        console.print(f"{'':15}→ {escape(finding.do)}")
    for row in report.unreadable[:_LISTED]:
        console.print(f"[red]skipped[/red] {escape(row['file'])}: {escape(row['reason'])}", soft_wrap=True)
    if len(report.unreadable) > _LISTED:
        console.print(f"… and {len(report.unreadable) - _LISTED} more; --json lists all")
    console.print(
        f"Looked at in {report.took_seconds:.1f} s. Preparing takes about {report.prepare_seconds:.0f} s here, "
        f"training {report.train_minutes:g} minutes by default (train --minutes)."
    )


def _line(counts: dict[str, int]) -> str:
    from rich.markup import escape

    return ", ".join(f"{escape(name)} {count}" for name, count in counts.items())
