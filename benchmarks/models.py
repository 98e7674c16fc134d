#!/usr/bin/env python3
"""Every preset and every model family on the same corpora: size, speed, errors, use of the latent, new sounds; controls beside them.

    python benchmarks/models.py [SOUNDS] [--rows 'drums/*,fm/dense@8'] [--minutes 1] [--results DIR] [--set KEY=VALUE]
                                [--stored] [--list] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes (drums, notes); rows of the toy corpora do without. Presets are those of the
package, so that a new family has its rows as soon as it has a preset. A row is one training by the command line, measured and stored in DIR
as JSON: rows can be run one by one, stopped and taken up (--fresh: measured anew); rows with --set want a DIR of their own. Everything is
seeded. One row takes about its minutes and a minute to measure on an idle machine; all of them take hours.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, keep, say, stamp, update
from path import WORK


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for, prints the tables of all that is stored."""
    from models_rows import all_rows, chosen

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", nargs="?", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    parser.add_argument("--rows", default="*", help="rows to measure, patterns separated by commas (default all)")
    parser.add_argument("--minutes", type=float, default=1.0, help="of training, a row (default 1)")
    parser.add_argument("--unseen", type=int, default=60, help="unseen sounds that are copied, at most (default 60)")
    parser.add_argument("--new", type=int, default=150, help="new sounds a row (default 150)")
    parser.add_argument("--clips", type=int, default=2_000, help="of each toy corpus (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change every preset; repeatable")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "timbrespace-models", help="where rows are stored")
    parser.add_argument("--work", type=Path, default=WORK / "models", help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--stored", action="store_true", help="measure nothing; print what is stored")
    parser.add_argument("--fresh", action="store_true", help="measure anew what is stored")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and end")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    if given.minutes <= 0:
        parser.error("--minutes must be above 0")
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
    found = {row: figures for row in rows if (figures := _stored(given.results, row)) is not None}
    if not any(not row.control for row in found):
        say("no model is stored yet; the tables begin with the first")
        return 0
    print(body := _body(found))
    if given.out is not None:
        update(given.out, "models", body)
    return 0


def _measure(row: Any, given: argparse.Namespace) -> None:
    path = given.results / row.file
    if path.exists() and not given.fresh:
        say(f"{row.name}: stored")
        return
    from models_measure import Settings, measure

    asked = Settings(given.sounds, given.work, given.minutes, given.unseen, given.new, given.clips, given.seed, tuple(given.changes))
    given.work.mkdir(parents=True, exist_ok=True)
    say(f"{row.name}: measuring")
    made_by = f"python benchmarks/models.py --rows '{row.name}' --minutes {given.minutes:g} --new {given.new} --seed {given.seed}"
    made_by += "".join(f" --set {change}" for change in given.changes)
    keep(
        path, row.name, made_by, lambda: {"minutes": given.minutes, "new_count": given.new, "changes": given.changes, **measure(row, asked)}
    )


def _stored(results: Path, row: Any) -> dict[str, Any] | None:
    path = results / row.file
    return dict(json.loads(path.read_text(encoding="utf-8"))["figures"]) if path.exists() else None


def _body(found: dict[Any, dict[str, Any]]) -> str:
    from models_tables import tables

    trained = [figures for row, figures in found.items() if not row.control]
    minutes, new = (sorted({figures[key] for figures in trained})[-1] for key in ("minutes", "new_count"))
    every = {tuple(figures.get("changes", ())) for figures in trained}
    if len(every) > 1:
        raise SystemExit(f"--results holds rows with different --set ({sorted(every)}); keep them in folders of their own")
    changes = next(iter(every))
    command = f"python benchmarks/models.py SOUNDS --minutes {minutes:g} --new {new}" + "".join(f" --set {change}" for change in changes)
    return f"{stamp(command)}\n\n{tables(found, minutes=minutes, new=new)}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    sys.exit(main())
