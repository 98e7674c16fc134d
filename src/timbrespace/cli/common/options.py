"""Options and checks that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbrespace.synthesis.instrument import Instrument

InstrumentPath = Annotated[Path, typer.Argument(metavar="INSTRUMENT", help="Instrument file (.safetensors).", show_default=False)]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write to.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same sounds.")]
Level = Annotated[str, typer.Option("--level", help="peak (-1 dBFS) | loudness (-16 LKFS) | keep.")]
Subtype = Annotated[str, typer.Option("--format", help="PCM_16 | PCM_24 | FLOAT.")]
Rate = Annotated[int | None, typer.Option("--rate", help="Sample rate in Hz; the instrument's own if not given.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]


def open_instrument(path: Path) -> Instrument:
    """Opens an instrument for a verb."""
    from timbrespace.synthesis.instrument import Instrument

    return Instrument.load(path)


def check_outputs(folder: Path, *, subtype: str) -> None:
    """Refuses, before any work is done, what could not be written afterwards."""
    from timbrespace.audio.files import SUBTYPES
    from timbrespace.contracts import ConfigError, OutputExistsError

    if subtype not in SUBTYPES:
        raise ConfigError(f"format is {subtype!r}, allowed are {', '.join(SUBTYPES)}")
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; give a folder to --out")


def check_not_inputs(targets: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuses to write over a file that is read. Raises OutputExistsError."""
    from timbrespace.contracts import OutputExistsError

    read = {path.resolve() for path in inputs}
    for target in targets:
        if target.resolve() in read:
            raise OutputExistsError(f"{target} is itself an input and is never replaced; choose another folder with --out")
