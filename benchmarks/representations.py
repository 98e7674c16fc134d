#!/usr/bin/env python3
"""How large, fast and exact is every view of sound, on recorded drums, notes and pieces and on whole corpora?

    python benchmarks/representations.py SOUNDS [--rows 'bands*,mdct,scale/*'] [--results DIR] [--stored] [--out FILE]

Tables (docs/benchmarks/representations.md): speed and memory, errors of encoding and decoding, phase, whole corpora, and a verdict against
bounds. SOUNDS is the folder that benchmarks/real_audio.py makes. More settings: EXTRAS in lib/representations/rows.py.

Each row is measured in a process of its own and stored as JSON in --results, so that a run can be interrupted and continued. A stored row
is measured again if the code of representations, audio or of this benchmark, the sounds, the machine or the row's settings have changed.
Rows are chosen by name (* and ? as in file names); the tables show all stored rows (--stored: whatever code they are from).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lib.options import make_parser, publish
from lib.page import machine, stamp, thread_limit
from lib.process import ROOT, say
from lib.representations.tables import ears, errors, phase, scale, speed, verdict

RESULTS = Path(tempfile.gettempdir()) / "timbrespace-benchmarks" / "representations"
ROW_SECONDS = 900  # a row is given up after that
HERE = Path(__file__).parent
SECTIONS = {
    "speed": ("Speed, memory, size of the views", speed),
    "errors": ("Errors after encoding and decoding", errors),
    "ears": ("Audible errors", ears),
    "phase": ("Phase, exactness, level after the end", phase),
    "scale": ("Whole corpora", scale),
    "verdict": ("Verdict", verdict),
}


def code(*places: str) -> str:
    """A digest of source files: glob patterns under src/timbrespace, and the modules of this benchmark that measure."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted((ROOT / "src" / "timbrespace").glob(place)):
            digest.update(path.read_bytes())
    for name in ("measure", "scale", "sounds"):
        digest.update((HERE / "lib" / "representations" / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def tasks(sounds: str, given: argparse.Namespace) -> dict[str, tuple[Path, str, list[str]]]:
    """All rows: name -> file of its results, digest of what it depends on, module and arguments (without the digest)."""
    from lib.representations.rows import all_rows
    from lib.representations.scale import PARTS, RANDOM

    rows = all_rows()
    views = code("representation/**/*.py", "audio/**/*.py", "evaluation/reconstruction.py")
    base = f"{views} {sounds} {machine()}{thread_limit()}"
    found = {}
    for row in rows:
        made_by = hashlib.sha256(f"{base} {row.view} {json.dumps(dict(row.keys), sort_keys=True)}".encode()).hexdigest()[:16]
        found[row.name] = (given.results / row.file, made_by, ["lib.representations.measure", str(given.results), row.name])
    corpora = code("representation/**/*.py", "audio/**/*.py", "corpus/**/*.py")
    amounts = {"exact": RANDOM, "clips": given.clips, "memory": given.gigabytes}
    for part in PARTS:
        made_by = hashlib.sha256(f"{corpora} {machine()}{thread_limit()} {part} {amounts[part]}".encode()).hexdigest()[:16]
        command = ["lib.representations.scale", str(given.results), part]
        found[f"scale/{part}"] = (given.results / f"scale--{part}.json", made_by, [*command, str(amounts[part])])
    return found


def read(path: Path, made_by: str | None = None) -> dict[str, Any] | None:
    """The values in a file; None if the file is missing or damaged, or if they depend on something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return dict(found["figures"]) if made_by in (None, found["made_by"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measure(name: str, made_by: str, command: list[str]) -> bool:
    """Measures one row in a process of its own; says why if that fails. Returns whether it succeeded."""
    module, results, what, *rest = command
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))}
    words = [sys.executable, "-m", module, results, what, made_by, *rest]
    start = time.perf_counter()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ROW_SECONDS, check=False, env=environment)
        failed = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        failed = f"took more than {ROW_SECONDS} s"
    say(f"{name}: {failed or f'{time.perf_counter() - start:.0f} s'}")
    return not failed


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The checked command line."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path, metavar="SOUNDS", help="folder with drums, notes and pieces")
    parser.add_argument("--sounds", type=int, default=100, help="number of drums and of notes, drawn by a fixed seed (default %(default)s)")
    parser.add_argument("--pieces", type=int, default=8, help="number of pieces (default %(default)s)")
    parser.add_argument("--clips", type=int, default=1000, help="size of the corpus that is prepared and encoded (default %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the corpus for the memory test (default %(default)g)")
    parser.add_argument("--rows", default="*", help="rows to measure, comma-separated patterns (default all)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where rows are stored (default: a temporary folder)")
    parser.add_argument("--stored", action="store_true", help="measure nothing; print stored rows, whatever code they are from")
    parser.add_argument("--fresh", action="store_true", help="measure stored rows again")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and exit")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the sections into this Markdown file (docs/benchmarks/representations.md)"
    )
    given = parser.parse_args(words)
    if min(given.sounds, given.pieces, given.clips) < 1 or not given.gigabytes > 0:
        parser.error("--sounds, --pieces and --clips must be 1 or more, --gigabytes above 0")
    from lib.representations.rows import all_rows, chosen
    from lib.representations.scale import PARTS

    names = [row.name for row in all_rows()] + [f"scale/{part}" for part in PARTS]
    if given.list:
        print("\n".join(names))
        sys.exit(0)
    try:
        given.wanted = chosen(given.rows, names)
    except ValueError as error:
        parser.error(str(error))
    return given


def main(words: list[str] | None = None) -> int:
    """Measures the chosen rows and prints all stored ones. Returns the exit code, 1 if a row failed."""
    given = arguments(words)
    from lib.representations.sounds import collect, store

    given.results.mkdir(parents=True, exist_ok=True)
    failed = []
    if given.stored:
        todo = tasks("", given)
        stored = {name: read(path) for name, (path, _, _) in todo.items()}
    else:
        sets = collect(given.folder, sounds=given.sounds, pieces=given.pieces) if given.folder.is_dir() else {}
        if not sets:
            sys.exit(f"{given.folder} holds no folder drums, notes or pieces with sounds; give the folder that real_audio.py made")
        if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
            say(f"other work runs on this machine (load {os.getloadavg()[0]:.1f}): timings will be too slow")
        todo = tasks(store(sets, given.results), given)
        for name in given.wanted:
            path, made_by, command = todo[name]
            if (given.fresh or read(path, made_by) is None) and not measure(name, made_by, command):
                failed.append(name)
        stored = {name: read(path, made_by) for name, (path, made_by, _) in todo.items()}
    show({name: one for name, one in stored.items() if one is not None}, given)
    if failed:
        say(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


def show(stored: dict[str, dict[str, Any]], given: argparse.Namespace) -> None:
    """Prints the tables and, with --out, writes them into the page."""
    options = f"--sounds {given.sounds} --pieces {given.pieces} --clips {given.clips} --gigabytes {given.gigabytes:g}"
    line = stamp(f"python benchmarks/representations.py SOUNDS {options}")  # private folders are not named
    for k, (key, (heading, make)) in enumerate(SECTIONS.items()):
        when = f"\n{line}\n" if k == 0 else ""
        body = f"## {heading}\n{when}\n{make(stored)}"
        publish(f"{body}\n", given.out, f"representations-{key}", inside="representations")


if __name__ == "__main__":
    sys.exit(main())
