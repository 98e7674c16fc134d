#!/usr/bin/env python3
r"""How well is the sound space of an instrument steered, searched and drawn? docs/benchmarks/space.md, a table a part.

    python benchmarks/space.py SOUNDS --part steering|latency|map|words|neighbours|moving|scale \
        [--instrument drums=FILE] [--count 24] [--out FILE]

SOUNDS is the folder that benchmarks/real_audio.py makes. Instruments of drums and notes are trained for three minutes unless given
(`--instrument notes=FILE`). Figures are on sounds of kits and instruments that no instrument was trained on, with intervals by the
bootstrap over sounds.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from lib.bench import KEPT_AWAY, WORK
from lib.options import add_out, make_parser, publish
from lib.page import stamp
from lib.space.setting import Setting


def words(setting: Setting) -> str:
    """Part `words`: on the corpora that the instruments are trained on."""
    from lib.space.words import words as tables

    return tables({what: setting.instrument(what) for what in setting.whats}, {what: setting.corpus(what) for what in setting.whats})


def neighbours(setting: Setting) -> str:
    """Part `neighbours`: of drums, and of notes that an instrument of all of them did not learn."""
    from lib.space.neighbours import run

    return run(setting.sounds, drums=setting.path("drums"), notes=setting.path("notes"))


def from_module(name: str) -> Callable[[Setting], str]:
    """The function `section` of a module of lib.space, imported when it is called."""
    return lambda setting: str(importlib.import_module(f"lib.space.{name}").section(setting))


# A new part is a file in lib/space with a function `section(setting)`, which returns Markdown, and one line here.
PARTS: dict[str, Callable[[Setting], str]] = {
    "steering": from_module("steering"),
    "latency": from_module("latency"),
    "map": from_module("map"),
    "words": words,
    "neighbours": neighbours,
    "moving": from_module("moving"),
    "scale": from_module("scale"),
}


def main() -> None:
    parser = make_parser(__doc__, sounds=True)
    parser.add_argument("--part", required=True, choices=sorted(PARTS))
    parser.add_argument("--what", default="drums,notes")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--instrument", action="append", default=[], metavar="WHAT=FILE", help="use this instrument and do not train")
    parser.add_argument("--count", type=int, default=24, help="unseen sounds (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--control", action="append", default=[], help="part steering: only this control; repeatable")
    add_out(parser, "space.md")
    options = parser.parse_args()
    for what in options.what.split(","):
        if what not in KEPT_AWAY:
            parser.error(f"--what: {what!r} is not drums or notes")
    command = f"python benchmarks/space.py SOUNDS --part {options.part} --what {options.what} --count {options.count}"
    command += "".join(f" --control {name}" for name in options.control)
    publish(f"{PARTS[options.part](setting_of(options))}\n\n{stamp(command)}", options.out, options.part)


def setting_of(options: argparse.Namespace) -> Setting:
    """What all parts work with."""
    given = {what: Path(path) for what, _, path in (text.partition("=") for text in options.instrument)}
    return Setting(
        options.sounds, options.what.split(","), given, options.count, options.seed, options.minutes, options.work, options.control
    )


if __name__ == "__main__":
    main()
