"""`timbrespace survey make real=FOLDER new=X.safetensors --out DIR`: a blind listening test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common.options import Force, Json, OutFolder, Seed


def survey_make(
    conditions: Annotated[
        list[str], typer.Argument(metavar="NAME=FOLDER|INSTRUMENT …", help="Conditions to compare: two or more.", show_default=False)
    ],
    out: OutFolder,
    title: Annotated[str, typer.Option("--title", help="Title that listeners see.")] = "A listening test",
    sounds: Annotated[int, typer.Option("--sounds", help="Sounds of each condition, 2 to 200.")] = 12,
    morphs: Annotated[int, typer.Option("--morphs", help="Pairs of real sounds that each instrument morphs, beside cross-fades.")] = 0,
    steps: Annotated[int, typer.Option("--steps", help="Steps of a morph, 3 to 16.")] = 6,
    listeners: Annotated[int, typer.Option("--listeners", help="Number of different plans, one a listener.")] = 24,
    items: Annotated[int | None, typer.Option("--items", help="Sounds that each listener rates.", show_default="30 or all")] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Sounds of these that are rated twice, to see how steady the answers are.")] = 2,
    seed: Seed = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make a blind listening test of instruments and real sounds: one page with its sounds, in one folder."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.evaluation.survey.make import SurveyOptions, make_survey, write_survey
    from timbrespace.report.survey_page import render_survey_page

    options = SurveyOptions(title, sounds, morphs, steps, listeners, items, repeats, seed)
    survey, rendered = make_survey(_sources(conditions), options, progress=None if json else lambda text: print(printable(text)))
    write_survey(survey, rendered, out, render_survey_page(survey), force=force)
    if json:
        print_json(survey.as_dict())
        return
    for source, reason in survey.skipped:
        print(printable(f"left out: {source}: {reason}"))
    rated = sum(item.kind != "check" for item in survey.items.values())
    print(f"{rated} sounds of {', '.join(survey.conditions)}, at {survey.loudness:.0f} LKFS; {len(survey.plans[0])} for each listener")
    print(printable(f"Give listeners the folder {out / 'public'}: they open index.html and send back the file that it saves."))
    print(f"Or let them answer in their browsers: {command_line('timbrespace', 'survey', 'serve', out)}")
    print(printable(f"Keep {out / 'survey.json'} to yourself: it says what each sound is. Put the answers into {out / 'answers'}, then:"))
    print(f"  {command_line('timbrespace', 'survey', 'analyse', out, '--out', 'results.html')}")


def _sources(conditions: list[str]) -> dict[str, Path]:
    """Condition -> path. Raises ConfigError."""
    from timbrespace.contracts import ConfigError

    sources: dict[str, Path] = {}
    for text in conditions:
        name, sign, path = text.partition("=")
        if not sign or not name or not path:
            raise ConfigError(f"{text!r} is no condition; give NAME=FOLDER or NAME=INSTRUMENT, such as real=kits new=drums.safetensors")
        if name in sources:
            raise ConfigError(f"the condition {name!r} is given twice; give each its own name")
        sources[name] = Path(path)
    return sources
