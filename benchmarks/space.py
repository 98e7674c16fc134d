#!/usr/bin/env python3
"""How well the sound space of an instrument is steered, searched and drawn: docs/benchmarks/space.md, a table a part.

    python benchmarks/space.py SOUNDS --part steering [--instrument drums=FILE] [--instrument notes=FILE] [--count 24] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. Instruments are trained for three minutes unless given. Figures are on sounds of
kits and instruments that no instrument was trained on, with intervals by the bootstrap over sounds.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from lib.bench import KEPT_AWAY, WORK
from lib.options import add_out, make_parser, publish
from lib.page import stamp
from lib.space.setting import Setting

# part -> module of lib.space, whose `section(setting)` returns the Markdown of its table. A new part is its file and one line here.
PARTS = {"steering": "steering", "latency": "latency"}


def main() -> None:
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--part", required=True, choices=sorted(PARTS))
    parser.add_argument("--what", default="drums,notes")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--instrument", action="append", default=[], metavar="WHAT=FILE", help="use this instrument and do not train")
    parser.add_argument("--count", type=int, default=24, help="unseen sounds (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=WORK)
    add_out(parser, "space.md")
    options = parser.parse_args()
    for what in options.what.split(","):
        if what not in KEPT_AWAY:
            parser.error(f"--what: {what!r} is not drums or notes")
    command = f"python benchmarks/space.py SOUNDS --part {options.part} --what {options.what} --count {options.count}"
    section = importlib.import_module(f"lib.space.{PARTS[options.part]}").section
    publish(f"{section(setting_of(options))}\n\n{stamp(command)}", options.out, options.part)


def setting_of(options: argparse.Namespace) -> Setting:
    """What all parts work with."""
    given = {what: Path(path) for what, _, path in (text.partition("=") for text in options.instrument)}
    return Setting(options.sounds, options.what.split(","), given, options.count, options.seed, options.minutes, options.work)


if __name__ == "__main__":
    main()
