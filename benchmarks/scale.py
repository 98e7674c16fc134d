#!/usr/bin/env python3
"""One process against two that share every batch (DDP): the same curve, and what it costs or saves.

    python benchmarks/scale.py [--corpus synthetic:drums] [--preset conv-vae] [--epochs 4] [--rounds 2] [--out FILE]

Both train on the CPU by the command line, in turn; seconds are those of the training
stage alone, medians over rounds. The curves are of the validation error at every check.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median

from common import run, say, stamp, table, update

PROCESSES = (1, 2)


def main(arguments: list[str] | None = None) -> None:
    """Trains, compares, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="synthetic:drums", help="what to learn from (default %(default)s)")
    parser.add_argument("--preset", default="conv-vae")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the section into this Markdown file (docs/benchmarks.md)")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        body = _measured(given, Path(folder))
    print(body)
    if given.out is not None:
        update(given.out, "scale", body)


def _measured(given: argparse.Namespace, folder: Path) -> str:
    from timbrespace.synthesis.instrument import Instrument

    corpus = folder / "corpus"
    run(["prepare", given.corpus, "--out", corpus])
    seconds: dict[int, list[float]] = {count: [] for count in PROCESSES}
    curves: dict[int, list[float]] = {}
    for _ in range(given.rounds):
        for count in PROCESSES:
            say(f"{count} process(es)")
            out = folder / f"{count}.safetensors"
            words = ["--preset", given.preset, "--epochs", f"{given.epochs:g}", "--device", "cpu", "--devices", str(count)]
            run(["train", corpus, "--out", out, *words, "--force", "--json"])
            seconds[count].append(float(Instrument.load(out).card["training"]["seconds"]["train"]))
            log = out.with_name(f"{count}.log.jsonl").read_text(encoding="utf-8")
            curves[count] = [json.loads(line)["validation"] for line in log.splitlines()]
    apart = max(abs(a - b) / a for a, b in zip(curves[1], curves[2], strict=True))
    rows = [
        [str(count), f"{median(seconds[count]):.1f}", f"{median(seconds[1]) / median(seconds[count]):.2f}", f"{curves[count][-1]:.4f}"]
        for count in PROCESSES
    ]
    note = f"{len(curves[1])} checks; the two curves are {100 * apart:.3f} % apart at most. {os.cpu_count()} cores."
    command = f"python benchmarks/scale.py --corpus {given.corpus} --preset {given.preset} --epochs {given.epochs:g}"
    return "\n\n".join([stamp(command), table(["processes", "training (s)", "speed", "last validation error"], rows), note])


if __name__ == "__main__":
    main()
