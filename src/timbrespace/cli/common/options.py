"""Options and checks that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument

InstrumentPath = Annotated[Path, typer.Argument(metavar="INSTRUMENT", help="Instrument file (.safetensors).", show_default=False)]
OutFolder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder to write to.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Random seed; the same seed gives the same sounds.")]
_LEVEL_HELP = "Level: peak (-1 dBFS) | loudness (-16 LKFS) | keep. Default: peak; sounds made from yours keep the level of yours."
Level = Annotated[str | None, typer.Option("--level", help=_LEVEL_HELP, show_default=False)]
Subtype = Annotated[str, typer.Option("--format", help="Sample format of the WAV files: PCM_16 | PCM_24 | FLOAT.")]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule", metavar="NAME=PATTERN", help="Category by file name, such as 'kick=*bd*', or the list of categories source-b; repeatable."
    ),
]
PitchNames = Annotated[
    str,
    typer.Option("--pitch-names", help="auto | c4 | c3 | c5 | off: compare notes in names with the sound, or read them by this middle C."),
]
Rate = Annotated[int | None, typer.Option("--rate", help="Sample rate in Hz; by default that of the instrument.")]
FileRate = Annotated[int | None, typer.Option("--rate", help="Sample rate in Hz; by default that of each file.")]
_ENGINE_HELP = (
    "What renders new sounds: auto | native | pytorch. native is the core, which starts at once; auto: where it plays the instrument. "
    "The samples differ in their last bits."
)
Engine = Annotated[str, typer.Option("--engine", help=_ENGINE_HELP)]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]


def open_instrument(path: Path, *, engine: str = "auto") -> Instrument:
    """Returns the instrument of a file. engine: see `Instrument.load`. Raises TimbrespaceError if the file is not an instrument."""
    from timbrespace.instrument import Instrument

    return Instrument.load(path, engine=engine)


def check_outputs(folder: Path, *, subtype: str) -> None:
    """Checks the output options before any work is done. Raises ConfigError for an unknown format, OutputExistsError for a file."""
    from timbrespace.audio.files import SUBTYPES
    from timbrespace.contracts import ConfigError, OutputExistsError

    if subtype not in SUBTYPES:
        raise ConfigError(f"format is {subtype!r}, allowed are {', '.join(SUBTYPES)}")
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; give a folder to --out")


def check_not_inputs(targets: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raises OutputExistsError if a target is one of the inputs, which are never replaced."""
    from timbrespace.contracts import OutputExistsError

    resolved = {path.resolve() for path in inputs}
    for target in targets:
        if target.resolve() in resolved:
            raise OutputExistsError(f"{target} is itself an input and is never replaced; choose another folder with --out")
