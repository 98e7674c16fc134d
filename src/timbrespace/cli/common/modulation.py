"""Options on vibrato and tremolo that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbrespace.modulation.change import Donor
    from timbrespace.modulation.options import Wish

_DEPTH_HELP = "{}: a factor of its depth, 0 removes it, 2 doubles it; or a depth, {}, added to notes that have none."
_RATE_HELP = "Rate of the {}: in Hz, 2.5 to 14, or a factor, such as x1.2."

Vibrato = Annotated[
    str | None, typer.Option("--vibrato", metavar="DEPTH", help=_DEPTH_HELP.format("Vibrato", "30cents"), show_default=False)
]
Tremolo = Annotated[str | None, typer.Option("--tremolo", metavar="DEPTH", help=_DEPTH_HELP.format("Tremolo", "3dB"), show_default=False)]
VibratoRate = Annotated[str | None, typer.Option("--vibrato-rate", metavar="RATE", help=_RATE_HELP.format("vibrato"), show_default=False)]
TremoloRate = Annotated[str | None, typer.Option("--tremolo-rate", metavar="RATE", help=_RATE_HELP.format("tremolo"), show_default=False)]
FROM_HELP = "Sound file whose vibrato and tremolo the sounds take on, cut or repeated to the length of each note."


def read_wishes(vibrato: str | None, tremolo: str | None, vibrato_rate: str | None, tremolo_rate: str | None) -> tuple[Wish, Wish]:
    """Returns the requested vibrato and tremolo. Raises ConfigError."""
    from timbrespace.modulation.options import read_wish

    return read_wish("vibrato", vibrato, vibrato_rate), read_wish("tremolo", tremolo, tremolo_rate)


def read_donor(path: Path | None) -> Donor | None:
    """Returns what a sound file gives. Raises AudioFileError, and ConfigError where it has neither vibrato nor tremolo."""
    from timbrespace.modulation.change import donor_of
    from timbrespace.modulation.files import read_sound
    from timbrespace.modulation.measuring import split

    return None if path is None else donor_of(split(*read_sound(path)), path.name)
