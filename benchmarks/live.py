#!/usr/bin/env python3
"""How exact, how clean and how quick is live playing?

    python benchmarks/live.py [--part pitch,faults,load,clock,engine] [--instrument FILE] [--out FILE]
    python benchmarks/live.py --part notes --instrument NOTES
    python benchmarks/live.py --part controls --instrument HELD --instrument HELD
    python benchmarks/live.py --part hours --hours 8 --instrument DRUMS --instrument NOTES --instrument HELD

Tables (docs/benchmarks/live.md). pitch: how far held voices are from the note that is played. faults: evenness, lines, clicks and what
the lengths of blocks change, of held voices of the core and of a plain implementation of the same (lib/live/plain.py). load: processor
time of a block of 64 samples at 48 kHz, of one-shots and held voices, in the callback that an audio device calls. clock: how exactly
the beat of a MIDI clock with jitter is found. engine: from notes and controls to sound, clicks of random playing. notes: an instrument of
notes, held, beside its one-shots. hours: memory, and what becomes of events and decodes, over hours of random playing by MIDI and OSC of
several instruments at once.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from lib.live.clock import clock_part
from lib.live.controls import controls_part
from lib.live.engine import engine_part, trained
from lib.live.held import faults_part, pitch_part
from lib.live.hours import hours_part
from lib.live.load import load_part
from lib.live.notes import notes_part
from lib.options import add_out, make_parser, publish
from lib.page import stamp
from lib.process import say

PARTS: dict[str, Callable[[], str]] = {"pitch": pitch_part, "faults": faults_part, "load": load_part, "clock": clock_part}


def with_instruments(files: list[Path] | None, part: Callable[[list[Path]], str]) -> str:
    """Measures a part with these instruments, or with one that is trained on synthetic drums."""
    if files:
        return part(files)
    with TemporaryDirectory() as folder:
        return part([trained(Path(folder))])


def notes_of(files: list[Path] | None, refuse: Callable[[str], object]) -> str:
    """Measures the part notes, which needs an instrument."""
    if not files:
        refuse("--part notes needs --instrument NOTES, an instrument of notes")
        return ""
    return notes_part(files[0])


def controls_of(files: list[Path] | None, refuse: Callable[[str], object]) -> str:
    """Measures the part controls, which needs instruments."""
    if not files:
        refuse("--part controls needs --instrument HELD, an instrument whose latent varies in time, one or more")
        return ""
    return controls_part(files)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints the tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--part", default=",".join([*PARTS, "engine"]), help="of %(default)s")
    instruments = (
        "of drums, for the parts engine and hours, else one is trained; of notes for the part notes; hours and controls take several"
    )
    parser.add_argument("--instrument", type=Path, metavar="FILE", action="append", help=instruments)
    parser.add_argument("--minutes", type=float, default=10.0, help="of random playing, listened to for clicks")
    parser.add_argument("--hours", type=float, default=8.0, help="of random playing, for the part hours")
    add_out(parser, "live.md")
    given = parser.parse_args(arguments)
    parts = {
        **PARTS,
        "engine": lambda: with_instruments(given.instrument, lambda files: engine_part(files[0], minutes=given.minutes)),
        "notes": lambda: notes_of(given.instrument, parser.error),
        "controls": lambda: controls_of(given.instrument, parser.error),
        "hours": lambda: with_instruments(given.instrument, lambda files: hours_part(files, hours=given.hours)),
    }
    wanted = given.part.split(",")
    if odd := sorted(set(wanted) - {*parts}):
        parser.error(f"--part {odd[0]} is unknown, allowed are: {', '.join(parts)}")
    blocks = [stamp(f"python benchmarks/live.py --part {given.part}")]
    for name, part in parts.items():
        if name in wanted:
            say(name)
            blocks += [f"## {name.capitalize()}", part()]
    publish("\n\n".join(blocks), given.out, "live")


if __name__ == "__main__":
    main()
