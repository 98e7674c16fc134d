#!/usr/bin/env python3
"""How exact, how clean and how quick is live playing?

    python benchmarks/live.py [--part pitch,faults,load] [--out FILE]

Tables (docs/benchmarks/live.md). pitch: how far held voices are from the note that is played. faults: evenness, lines, clicks and what
the lengths of blocks change, of held voices of the core and of a plain implementation of the same (lib/live/plain.py). load: processor
time of a block of 64 samples at 48 kHz, of one-shots and held voices, in the callback that an audio device calls.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

from collections.abc import Callable

from lib.live.held import faults_part, pitch_part
from lib.live.load import load_part
from lib.options import add_out, make_parser, publish
from lib.page import stamp
from lib.process import say

PARTS: dict[str, Callable[[], str]] = {"pitch": pitch_part, "faults": faults_part, "load": load_part}


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--part", default=",".join(PARTS), help="of %(default)s")
    add_out(parser, "live.md")
    given = parser.parse_args(arguments)
    wanted = given.part.split(",")
    if odd := sorted(set(wanted) - {*PARTS}):
        parser.error(f"--part {odd[0]} is unknown, allowed are: {', '.join(PARTS)}")
    blocks = [stamp(f"python benchmarks/live.py --part {given.part}")]
    for name, part in PARTS.items():
        if name in wanted:
            say(name)
            blocks += [f"## {name.capitalize()}", part()]
    publish("\n\n".join(blocks), given.out, "live")


if __name__ == "__main__":
    main()
