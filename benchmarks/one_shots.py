#!/usr/bin/env python3
"""How good the default instrument is on drums and on notes: by minutes of training, by number of clips, over seeds, beside plain PCA;
and beside it, on the same clock, models of the systems that it wants to beat.

    python benchmarks/one_shots.py SOUNDS [--rows 'drums 3 min*;notes 3 min*'] [--presets oneshot,dense] [--seeds 3] [--stored] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. Every row trains by the command line (an earlier run's instrument is used again
where code, sounds and settings are the same), measures copies of sounds never trained on and new sounds against held-out ones, and is
stored in DIR as JSON, so that a run can be stopped and taken up. Everything is seeded. A whole run with three seeds takes about two hours.
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

from common import ROOT, say, stamp, update
from one_shots_tables import KEPT_AWAY, tables
from path import WORK, Bench, folder_in

MINUTES = (3.0, 1.0, 10.0)
CLIPS = (None, 200, 50)  # files drawn from the trained kits; None: all
DEFAULT = "oneshot"
PRESETS = (
    DEFAULT,
    "staged",
    "dense",
    "conv-vae",
)  # sources B and C as described, and a convolutional VAE; those that are not there are left out


@dataclass(frozen=True)
class Row:
    """One instrument to train and measure."""

    what: str
    minutes: float
    clips: int | None
    seed: int
    preset: str = DEFAULT

    @property
    def setting(self) -> str:
        """All but the seed, as the tables name it."""
        preset = "" if self.preset == DEFAULT else f", {self.preset}"
        return f"{self.what} {self.minutes:g} min, {'all' if self.clips is None else self.clips} clips{preset}"

    @property
    def name(self) -> str:
        """As `--rows` picks it."""
        return f"{self.setting}, seed {self.seed}"


def all_rows(seeds: int, presets: Sequence[str] = (DEFAULT,), minutes: Sequence[float] = MINUTES) -> list[Row]:
    """The first of `minutes` on all clips first, every preset; then the other times; then, of the default alone, fewer clips."""
    rows = [Row(what, time, None, seed, preset) for time in minutes for preset in presets for what in KEPT_AWAY for seed in range(seeds)]
    fewer = [Row(what, minutes[0], clips, seed) for clips in CLIPS[1:] for what in KEPT_AWAY for seed in range(seeds)]
    return rows + (fewer if DEFAULT in presets else [])


def main(arguments: list[str] | None = None) -> None:
    """Trains and measures what is asked for, prints the tables of all that is stored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    parser.add_argument("--seeds", type=int, default=3, help="instruments a setting (default 3)")
    parser.add_argument("--rows", default="*", help="rows to measure, patterns separated by semicolons (default all; they hold commas)")
    parser.add_argument("--minutes", default=",".join(f"{time:g}" for time in MINUTES), help="of training (default %(default)s)")
    parser.add_argument(
        "--presets", help=f"presets to measure, names separated by commas (default {','.join(PRESETS)}, as far as there are)"
    )
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "timbrespace-one-shots", help="where rows are stored")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--stored", action="store_true", help="measure nothing; print what is stored")
    parser.add_argument("--fresh", action="store_true", help="train and measure anew what is stored")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and end")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    if given.seeds < 1:
        parser.error("--seeds must be 1 or more")
    try:
        minutes = [float(one) for one in given.minutes.split(",")]
    except ValueError:
        parser.error(f"--minutes {given.minutes!r} are no numbers separated by commas")
    rows = all_rows(given.seeds, _presets(given.presets, parser), minutes)
    patterns = [pattern.strip() for pattern in given.rows.split(";")]
    wanted = [row for row in rows if any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]
    if given.list:
        print("\n".join(row.name for row in rows))
        return
    if not wanted:
        parser.error(f"--rows {given.rows!r} picks nothing; --list names the rows")
    given.results.mkdir(parents=True, exist_ok=True)
    if not given.stored:
        for row in wanted:
            _measure(row, given)
    found = [json.loads(path.read_text(encoding="utf-8")) for row in rows if (path := _place(given.results, row)).exists()]
    if not found:
        sys.exit("nothing is stored yet; run without --stored")
    body = f"{stamp('python benchmarks/one_shots.py SOUNDS')}\n\n{tables(found)}"
    print(body)
    if given.out is not None:
        update(given.out, "one-shots", body)


def _presets(asked: str | None, parser: argparse.ArgumentParser) -> list[str]:
    from timbrespace.config.presets import presets

    known = presets()
    if asked is None:
        return [name for name in PRESETS if name in known]
    chosen = [name.strip() for name in asked.split(",")]
    if missing := [name for name in chosen if name not in known]:
        parser.error(f"--presets: there is no {missing[0]!r}; there are {', '.join(known)}")
    return chosen


def _measure(row: Row, given: argparse.Namespace) -> None:
    from one_shots_figures import figures

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
    result = {"row": asdict(row), "setting": row.setting, "instrument": key, **figures(bench, trained, seed=row.seed)}
    result = json.loads(json.dumps(result), parse_constant=lambda _: None)  # what is no number is null
    place.write_text(json.dumps(result, indent=1), encoding="utf-8")


def _place(results: Path, row: Row) -> Path:
    return results / f"{row.name.replace(',', '')}.json"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
