"""Command line options that several scripts share, and the end of every script: print the tables, write them into a page."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from lib.page import update


def make_parser(description: str | None, *, sounds: bool | None = None) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help.

    sounds: whether the folder SOUNDS is required (True) or may be left out (False); None: the script has no such argument.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if sounds is not None:
        parser.add_argument("sounds", nargs=None if sounds else "?", type=Path, metavar="SOUNDS", help="folder made by real_audio.py")
    return parser


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Adds `--set KEY=VALUE`, which may be repeated; `changes` holds the values."""
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change the preset; repeatable")


def add_out(parser: argparse.ArgumentParser, page: str) -> None:
    """Adds `--out FILE`; page: the name of the script's page in docs/benchmarks."""
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"also write the section into this Markdown file (docs/benchmarks/{page})")


def numbers(parser: argparse.ArgumentParser, option: str, text: str) -> list[float]:
    """The numbers in a text such as `1,2,4`. Ends the program with a sentence if one of them is not a number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return parser.error(f"{option}: {text!r} is not a list of numbers; write numbers with commas, for example 1,2,4")


def as_options(changes: Iterable[str]) -> str:
    """Changes of a preset as they are written on the command line, with a space before each."""
    return "".join(f" --set {change}" for change in changes)


def publish(body: str, out: Path | None, section: str, *, inside: str | None = None) -> None:
    """Prints Markdown and, if `out` is given, writes it into that section of the file."""
    print(body, flush=True)
    if out is not None:
        update(out, section, body, inside=inside)
