#!/usr/bin/env python3
"""How good is the default instrument on drums and on notes, by minutes of training, number of clips and seed, beside PCA and other presets?

    python benchmarks/one_shots.py SOUNDS [--rows 'drums 3 min*;notes 3 min*'] [--presets oneshot,dense] [--seeds 3] [--stored] [--out FILE]

Tables (docs/benchmarks/one-shots.md): errors of features and of reconstructions of unseen sounds, new sounds beside held-out ones,
artefacts, cost. SOUNDS is the folder that benchmarks/real_audio.py makes. Everything is seeded; three seeds take about two hours.

Every row trains by the command line, is measured, and is stored as JSON in --results, so that a run can be interrupted and continued.
A stored row is measured again if its instrument's name changes; the name holds a digest of the code in src/, the sounds and the settings.
--stored prints what is stored, whatever code it is from.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.bench import KEPT_AWAY, WORK, Bench, folder_in
from lib.one_shots.tables import tables
from lib.options import add_out, make_parser, numbers, publish
from lib.page import stamp
from lib.process import ROOT, say

MINUTES = (3.0, 1.0, 10.0)
CLIPS = (None, 200, 50)  # files drawn from the trained kits; None: all
DEFAULT = "oneshot"
PRESETS = (
    DEFAULT,
    "staged",
    "dense",
    "conv-vae",
)  # sources B and C as described, and a convolutional VAE; presets that do not exist are left out


@dataclass(frozen=True)
class Row:
    """One instrument that is trained and measured."""

    what: str
    minutes: float
    clips: int | None
    seed: int
    preset: str = DEFAULT

    @property
    def setting(self) -> str:
        """The row's name in the tables: everything except the seed."""
        preset = "" if self.preset == DEFAULT else f", {self.preset}"
        return f"{self.what} {self.minutes:g} min, {'all' if self.clips is None else self.clips} clips{preset}"

    @property
    def name(self) -> str:
        """The name that `--rows` matches."""
        return f"{self.setting}, seed {self.seed}"


def all_rows(seeds: int, presets: Sequence[str] = (DEFAULT,), minutes: Sequence[float] = MINUTES) -> list[Row]:
    """Rows of every preset on all clips, for each of `minutes` in turn; then rows of the default preset on fewer clips."""
    rows = [Row(what, time, None, seed, preset) for time in minutes for preset in presets for what in KEPT_AWAY for seed in range(seeds)]
    fewer = [Row(what, minutes[0], clips, seed) for clips in CLIPS[1:] for what in KEPT_AWAY for seed in range(seeds)]
    return rows + (fewer if DEFAULT in presets else [])


def main(arguments: list[str] | None = None) -> None:
    """Trains and measures the chosen rows, prints the tables of all stored rows."""
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--seeds", type=int, default=3, help="instruments a setting (default 3)")
    parser.add_argument("--rows", default="*", help="rows to measure: patterns separated by semicolons, as names hold commas (default all)")
    parser.add_argument("--minutes", default=",".join(f"{time:g}" for time in MINUTES), help="of training (default %(default)s)")
    parser.add_argument("--presets", help=f"presets to measure, names separated by commas (default {','.join(PRESETS)}; those that exist)")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "timbrespace-one-shots", help="where rows are stored")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--stored", action="store_true", help="measure nothing; print what is stored")
    parser.add_argument("--fresh", action="store_true", help="train and measure stored rows again")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and exit")
    add_out(parser, "one-shots.md")
    given = parser.parse_args(arguments)
    if given.seeds < 1:
        parser.error("--seeds must be 1 or more")
    minutes = numbers(parser, "--minutes", given.minutes)
    rows = all_rows(given.seeds, _presets(given.presets, parser), minutes)
    patterns = [pattern.strip() for pattern in given.rows.split(";")]
    wanted = [row for row in rows if any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]
    if given.list:
        print("\n".join(row.name for row in rows))
        return
    if not wanted:
        parser.error(f"--rows {given.rows!r} matches no row; --list prints the names")
    given.results.mkdir(parents=True, exist_ok=True)
    if not given.stored:
        for row in wanted:
            _measure(row, given)
    found = [json.loads(path.read_text(encoding="utf-8")) for row in rows if (path := _place(given.results, row)).exists()]
    if not found:
        sys.exit("nothing is stored yet; run without --stored")
    body = f"{stamp('python benchmarks/one_shots.py SOUNDS')}\n\n{tables(found)}"
    publish(body, given.out, "one-shots")


def _presets(asked: str | None, parser: argparse.ArgumentParser) -> list[str]:
    from timbrespace.config.presets import presets

    known = presets()
    if asked is None:
        return [name for name in PRESETS if name in known]
    chosen = [name.strip() for name in asked.split(",")]
    if missing := [name for name in chosen if name not in known]:
        parser.error(f"--presets: {missing[0]!r} does not exist; the presets are {', '.join(known)}")
    return chosen


def _measure(row: Row, given: argparse.Namespace) -> None:
    from lib.one_shots.measure import measure

    work = given.work / f"{row.what} {row.clips or 'all'}"
    work.mkdir(parents=True, exist_ok=True)
    away = KEPT_AWAY[row.what]
    folder = folder_in(given.sounds, row.what, away)
    bench = Bench(folder, work, row.minutes, 1, given.fresh, kept_away=away, what=row.what, clips=row.clips, preset=row.preset)
    place = _place(given.results, row)
    trained = bench.train(row.seed)
    key = trained.path.name
    if place.exists() and not given.fresh and json.loads(place.read_text(encoding="utf-8"))["instrument"] == key:
        say(f"{row.name}: stored")
        return
    say(f"{row.name}: measuring")
    result = {"row": asdict(row), "setting": row.setting, "instrument": key, **measure(bench, trained, seed=row.seed)}
    result = json.loads(json.dumps(result), parse_constant=lambda _: None)  # NaN becomes null
    place.write_text(json.dumps(result, indent=1), encoding="utf-8")


def _place(results: Path, row: Row) -> Path:
    return results / f"{row.name.replace(',', '')}.json"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
