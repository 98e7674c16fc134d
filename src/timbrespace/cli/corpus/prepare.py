"""`timbrespace prepare FOLDER|synthetic:NAME --out CORPUS`: makes a corpus of a folder of sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import PitchNames, Rules
from timbrespace.wording import counted

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus


def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|synthetic:NAME",
            help="Folder of sound files, or a synthetic corpus such as synthetic:drums.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Corpus folder to write.", show_default=False)],
    channels: Annotated[int, typer.Option("--channels", help="1 mixes to mono, 2 keeps stereo.")] = 1,
    rate: Annotated[int, typer.Option("--rate", help="Sample rate of the corpus in Hz.")] = 44_100,
    cut: Annotated[
        str,
        typer.Option(
            "--cut", help="auto | keep | segments | onsets: how files over 6 s are cut (segments: all longer than one; onsets: all)."
        ),
    ] = "auto",
    segment_seconds: Annotated[float, typer.Option("--segment-seconds", help="Length of a segment in s.")] = 2.0,
    rule: Rules = None,
    layout: Annotated[
        str,
        typer.Option("--layout", help="auto | folder | table | musicnet | nsynth | urbansound8k | esc50: whose tables give the labels."),
    ] = "auto",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Keep only this category or instrument; repeatable.")
    ] = None,
    pitch: Annotated[bool, typer.Option("--pitch/--no-pitch", help="Estimate the pitch where neither labels nor names give it.")] = True,
    pitch_names: PitchNames = "auto",
    count: Annotated[int | None, typer.Option("--count", help="Number of clips of a synthetic corpus.", show_default=False)] = None,
    diverse: Annotated[
        int | None, typer.Option("--diverse", metavar="N", help="Keep only the N most diverse clips.", show_default=False)
    ] = None,
    diverse_rule: Annotated[
        str,
        typer.Option("--diverse-rule", help="mean | nearest: add the clip farthest from their mean, or from the nearest."),
    ] = "nearest",
    store_stft: Annotated[bool, typer.Option("--store-stft", help="Also store the complex STFT (1024 points, hop 256).")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the train / validation / test split.")] = 0,
    update: Annotated[bool, typer.Option("--update", help="Bring an existing corpus up to date: read only new and changed files.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing corpus.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the content of corpus.json as JSON and nothing else.")] = False,
    *,
    context: typer.Context,
) -> None:
    """Decode, resample, cut, trim and normalise a folder of sounds once; training then reads only the corpus."""
    import time

    from timbrespace.cli.common.corpus import parse_rules, progress_bar
    from timbrespace.corpus.prepare import prepare as prepare_corpus
    from timbrespace.corpus.prepared.update import update as update_corpus

    rules, started = parse_rules(rule), time.perf_counter()
    if update:
        _refuse_beside_update(context)
        with progress_bar("updating", quiet=json) as progress:
            corpus, found = update_corpus(source, out, progress=progress)
        if not json:
            print(found.text)
        _report(corpus, json=json, seconds=time.perf_counter() - started, changes=found.as_dict())
        return
    with progress_bar("preparing", quiet=json) as progress:
        corpus = prepare_corpus(
            source,
            out,
            sample_rate=rate,
            channels=channels,
            cut=cut,
            segment_seconds=segment_seconds,
            rules=rules,
            layout=layout,
            only=only or (),
            pitch=pitch,
            pitch_names=pitch_names,
            count=count,
            diverse=diverse,
            diverse_rule=diverse_rule,
            seed=seed,
            store_stft=store_stft,
            force=force,
            progress=progress,
        )
    _report(corpus, json=json, seconds=time.perf_counter() - started)


_BESIDE_UPDATE = ("source", "out", "update", "json", "context")


def _refuse_beside_update(context: typer.Context) -> None:
    """Raises ConfigError for options on the command line whose values an update takes from the corpus."""
    from timbrespace.contracts import ConfigError

    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name not in _BESIDE_UPDATE
        and getattr(context.get_parameter_source(parameter.name or ""), "name", "DEFAULT") != "DEFAULT"
    ]
    if given:
        raise ConfigError(
            f"{', '.join(given)} cannot be given with --update, which prepares with the options that the corpus was made with; "
            "leave it out, or prepare again with --force instead of --update"
        )


def _report(corpus: Corpus, *, json: bool, seconds: float, changes: dict[str, int] | None = None) -> None:
    """Prints the corpus, as JSON or for people. changes: of an update."""
    from timbrespace.cli.common.corpus import print_json

    skipped = corpus.skipped()
    if json:
        lists = {"skipped_files": skipped, "remarks": corpus.remarks(), **({"update": changes} if changes else {})}
        print_json({**corpus.head, "path": str(corpus.path), **lists, "took_seconds": round(seconds, 3)})
        return
    _print(corpus, skipped, seconds)


def _print(corpus: Corpus, skipped: list[dict[str, str]], took: float) -> None:
    from rich.console import Console
    from rich.markup import escape

    from timbrespace.cli.common.text import command_line, remark_lines, skipped_lines

    console, head = Console(highlight=False, soft_wrap=True), corpus.head
    splits = ", ".join(f"{count} {name}" for name, count in head["splits"].items())
    channels = counted(corpus.channels, "channel")
    console.print(f"[bold]{counted(len(corpus), 'clip')}[/bold] ({splits}), {corpus.sample_rate} Hz, {channels}, in {took:.1f} s")
    if head["layout"] not in ("folder", "synthetic"):
        console.print(f"labels: from the tables of the layout {head['layout']}")
    console.print(f"categories: {_counts(head['categories'])}" + (f", none for {head['uncategorised']}" if head["uncategorised"] else ""))
    if head["instruments"] and head["instruments"] != head["categories"]:
        console.print(f"instruments: {_counts(head['instruments'])}")
    pitches = head["pitches"]
    console.print(f"pitches: {pitches['labelled']} labelled, {pitches['estimated']} estimated, none for {pitches['none']}")
    for vote in head.get("pitch_names", ()):
        console.print(escape(vote["text"]))
    if head["left_out"]:
        console.print(f"left out by the selection: {head['left_out']}, listed in {escape(str(corpus.path / 'left_out.jsonl'))}")
    for line in skipped_lines(skipped, rest=f"all are in {corpus.path / 'skipped.jsonl'}"):
        console.print(escape(line), style="yellow")
    for line in remark_lines(corpus.remarks(), rest=f"all are in {corpus.path / 'remarks.jsonl'}"):
        console.print(escape(line))
    console.print(escape(f"Next: {command_line('timbrespace', 'train', corpus.path, '--out', 'instrument.safetensors')}"))


def _counts(counts: dict[str, Any]) -> str:
    """'kick 5, snare 3', the most frequent first; thirty at most."""
    from rich.markup import escape

    from timbrespace.cli.common.text import printable

    rows = sorted(counts.items(), key=lambda row: -row[1])
    more = f", {len(rows) - 30} more" if len(rows) > 30 else ""
    return (", ".join(f"{escape(printable(name))} {count}" for name, count in rows[:30]) or "none") + more
