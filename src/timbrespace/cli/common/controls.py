"""The options of named controls: `--control brightness=+1`, and its short forms `--brighter [AMOUNT]`, `--darker` …"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.pairs import read_pairs

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.sound import Sound

# The words of the descriptors (`audio.describe`), here without PyTorch: more, less.
SHORT_FORMS = (
    "brighter", "darker", "ringing", "damped", "softer", "sharper", "noisier", "purer", "higher", "lower", "louder", "quieter",
    "metallic", "harmonic", "longer", "shorter", "fuller", "thinner",
)  # fmt: skip
DEFAULT_AMOUNT = 0.5  # spreads
_SHORT = 0.15  # spreads less than wished

_HELP = (
    "Change of a property of the sound, such as brightness=+1 (spreads of the corpus), decay=0.4s, length=x0.5 or pitch=C4; `info` lists "
    "the controls; repeatable. Short forms, with an amount in spreads or 0.5: " + ", ".join(f"--{word}" for word in SHORT_FORMS) + "."
)
ControlOptions = Annotated[list[str] | None, typer.Option("--control", metavar="NAME=VALUE", help=_HELP)]


def expand_short_forms(words: list[str]) -> list[str]:
    """Returns the arguments of a command line with `--brighter 1` as `--control brighter=1`; without an amount it is 0.5."""
    expanded: list[str] = []
    at = 0
    while at < len(words):
        word, equals, value = words[at].partition("=")
        at += 1
        if word == "--":
            return [*expanded, *words[at - 1 :]]
        if word.removeprefix("--") not in SHORT_FORMS or not word.startswith("--"):
            expanded.append(words[at - 1])
            continue
        if not equals:
            follows = at < len(words) and re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)", words[at]) is not None
            value = words[at] if follows else str(DEFAULT_AMOUNT)
            at += follows
        expanded += ["--control", f"{word.removeprefix('--')}={value}"]
    return expanded


def read_controls(pairs: list[str] | None) -> dict[str, str]:
    """Returns NAME=VALUE as name -> value. Raises ConfigError."""
    example, advice = "brightness=+1 or decay=0.4s", "`info` lists the controls"
    return read_pairs(pairs, "--control", example=example, advice=advice, comma=r"\d,\d")


def print_first_use(instrument: Instrument) -> None:
    """Prints on the error stream that controls are measured now, for a file of an earlier version."""
    import sys

    if instrument.contents.controls is None:
        print("this file is of an earlier version and holds no controls: they are measured now, which takes seconds", file=sys.stderr)


def reached_rows(sounds: list[Sound]) -> list[dict[str, Any]]:
    """Returns {"sound", "control", "asked", "wished", "change"} for every control of every sound; the last two in spreads, as measured."""
    return [
        {"sound": sound.name, "control": name, "asked": text, "wished": about["wished"][name], "change": about["reached"][name]}
        for sound in sounds
        for about in (sound.recipe["asked"],)
        for name, text in about.get("controls", {}).items()
    ]


def print_reached(sounds: list[Sound]) -> None:
    """Prints how far each control went, of many sounds their range, and whether that is all that is possible."""
    rows = reached_rows(sounds)
    for name in dict.fromkeys(row["control"] for row in rows):
        own = [row for row in rows if row["control"] == name]
        asked, wished, reached = own[0]["asked"], _range([row["wished"] for row in own]), _range([row["change"] for row in own])
        unit = "spreads" if re.fullmatch(r"[+-]?[\d.]+", asked) else f"({wished} spreads)"
        short = sum(abs(row["wished"] - row["change"]) > _SHORT for row in own)
        some = "" if len(own) == 1 else f" for {short} of {len(own)} sounds"
        print(f"{name}: asked {asked} {unit}, changed by {reached}" + (f"; as far as it goes{some}" if short else ""))


def _range(values: list[float]) -> str:
    low, high = f"{min(values):+.2f}", f"{max(values):+.2f}"
    return low if low == high else f"{low} to {high}"
