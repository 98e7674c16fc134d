"""`timbrespace survey analyse DIR --out results.html`: what the listeners answered, with its statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.options import Force, Json


def survey_analyse(
    folder: Annotated[Path, typer.Argument(help="Folder that `survey make` wrote.", show_default=False)],
    answers: Annotated[Path | None, typer.Option("--answers", help="Folder or file of the answers.", show_default="FOLDER/answers")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Page to write, such as results.html.", show_default=False)] = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep listeners who failed an attention check.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Analyse the answers to a listening test: which condition sounds better, and whether that can be chance."""
    from timbrespace.atomic import check_absent, write_text
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable
    from timbrespace.evaluation.survey.analysis import analyse
    from timbrespace.evaluation.survey.statistics import as_json
    from timbrespace.evaluation.survey.survey import ANSWERS

    if out is not None:
        check_absent(out, force=force)
    analysis = analyse(folder, folder / ANSWERS if answers is None else answers, keep_all=keep_all)
    if out is not None:
        from timbrespace.report.survey_results import render_survey_results

        write_text(out, render_survey_results(analysis), force=force)
    if json:
        print_json(as_json(analysis))
        return
    print(printable(f"{analysis.title}: {analysis.listeners} listeners"))
    for session, count in analysis.failed:
        print(printable(f"left out: listener {session}: {count} attention check{'s' if count > 1 else ''} failed"))
    for file, reason in analysis.left_out:
        print(printable(f"left out: {file}: {reason}"))
    readings = [(one.kind, one.text, one.reading) for one in analysis.rated]
    readings += [(one.kind, one.text, one.reading) for one in analysis.recognised]
    for kind, text, sentences in readings:
        print(printable(f"{kind}: {text}"))
        for sentence in sentences:
            print(printable(f"  {sentence}"))
    if out is not None:
        print(printable(f"wrote {out}"))
