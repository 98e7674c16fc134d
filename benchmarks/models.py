#!/usr/bin/env python3
"""How do all presets and model families compare on the same corpora: size, speed, errors, use of the latent, new sounds, control rows?

    python benchmarks/models.py [SOUNDS] [--rows 'drums/*,fm/dense@8'] [--minutes 1] [--results DIR] [--set KEY=VALUE]
                                [--stored] [--list] [--out FILE]
    python benchmarks/models.py SOUNDS --part time-steps [--epochs 10] [--seeds 3]

Tables (docs/benchmarks/models.md): every preset with its own settings, then one preset for each family at 8 and at 32 latent dimensions.
SOUNDS is the folder that benchmarks/real_audio.py makes (drums, notes); rows of the toy corpora need none. A new family has rows as soon as
it has a preset. Everything is seeded. A row takes its minutes of training and about a minute more; all rows take hours. The part
`time-steps` compares the models over time steps on notes, after equal epochs instead of minutes, with several seeds.

A row is one training by the command line, measured and stored as JSON in --results. Rows can be run one by one, and an interrupted run
can be continued. Nothing invalidates a stored row: after a change of code or of settings use --fresh or another folder; rows with --set
need one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from lib.bench import WORK
from lib.options import add_changes, add_out, as_options, make_parser, publish
from lib.page import keep, stamp
from lib.process import ROOT, say


def main(arguments: list[str] | None = None) -> int:
    """Measures the chosen rows, prints the tables of all stored rows."""
    from lib.models.rows import all_rows, chosen

    parser = make_parser(__doc__, sounds=False)
    parser.add_argument("--part", choices=("rows", "time-steps"), default="rows", help="of the page (default rows)")
    parser.add_argument("--epochs", type=int, default=10, help="of the part time-steps (default 10)")
    parser.add_argument("--seeds", type=int, default=3, help="of the part time-steps: 0, 1 … (default 3)")
    parser.add_argument("--rows", default="*", help="rows to measure, patterns separated by commas (default all)")
    parser.add_argument("--minutes", type=float, default=1.0, help="of training for each row (default 1)")
    parser.add_argument("--unseen", type=int, default=60, help="unseen sounds that are reconstructed, at most (default 60)")
    parser.add_argument("--new", type=int, default=150, help="new sounds for each row (default 150)")
    parser.add_argument("--clips", type=int, default=2_000, help="of each toy corpus (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    add_changes(parser)
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "timbrespace-models", help="where rows are stored")
    parser.add_argument("--work", type=Path, default=WORK / "models", help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--stored", action="store_true", help="measure nothing; print what is stored")
    parser.add_argument("--fresh", action="store_true", help="measure stored rows again")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and exit")
    add_out(parser, "models.md")
    given = parser.parse_args(arguments)
    if given.minutes <= 0:
        parser.error("--minutes must be above 0")
    if given.part == "time-steps":
        return _time_steps(given)
    rows = all_rows()
    if given.list:
        print("\n".join(row.name for row in rows))
        return 0
    try:
        wanted = chosen(given.rows, rows)
    except ValueError as error:
        parser.error(f"--rows: {error}")
    given.results.mkdir(parents=True, exist_ok=True)
    if not given.stored:
        for row in wanted:
            _measure(row, given)
    found = {row: values for row in rows if (values := _stored(given.results, row)) is not None}
    if not any(not row.control for row in found):
        say("no model is stored yet, so there is no table; run without --stored")
        return 0
    publish(_body(found), given.out, "models")
    return 0


def _time_steps(given: argparse.Namespace) -> int:
    from lib.models.measure import Settings
    from lib.models.time_steps import time_steps

    for folder in (given.results, given.work):
        folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(given.sounds, given.work, unseen=given.unseen)
    publish(time_steps(settings, given.results, epochs=given.epochs, seeds=given.seeds, fresh=given.fresh), given.out, "time-steps")
    return 0


def _measure(row: Any, given: argparse.Namespace) -> None:
    path = given.results / row.file
    if path.exists() and not given.fresh:
        say(f"{row.name}: stored")
        return
    from lib.models.measure import Settings, measure

    asked = Settings(given.sounds, given.work, given.minutes, given.unseen, given.new, given.clips, given.seed, tuple(given.changes))
    given.work.mkdir(parents=True, exist_ok=True)
    say(f"{row.name}: measuring")
    made_by = f"python benchmarks/models.py --rows '{row.name}' --minutes {given.minutes:g} --new {given.new} --seed {given.seed}"
    made_by += as_options(given.changes)
    keep(
        path, row.name, made_by, lambda: {"minutes": given.minutes, "new_count": given.new, "changes": given.changes, **measure(row, asked)}
    )


def _stored(results: Path, row: Any) -> dict[str, Any] | None:
    path = results / row.file
    return dict(json.loads(path.read_text(encoding="utf-8"))["figures"]) if path.exists() else None


def _body(found: dict[Any, dict[str, Any]]) -> str:
    from lib.models.tables import tables

    trained = [values for row, values in found.items() if not row.control]
    minutes, new = (sorted({values[key] for values in trained})[-1] for key in ("minutes", "new_count"))
    every = {tuple(values.get("changes", ())) for values in trained}
    if len(every) > 1:
        raise SystemExit(f"--results holds rows with different --set ({sorted(every)}); keep them in folders of their own")
    changes = next(iter(every))
    command = f"python benchmarks/models.py SOUNDS --minutes {minutes:g} --new {new}" + as_options(changes)
    return f"{stamp(command)}\n\n{tables(found, minutes=minutes, new=new)}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    sys.exit(main())
