"""What the verbs that open an instrument share: saving sounds, progress, and telling what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from timbrespace.synthesis.instrument import Instrument
    from timbrespace.synthesis.sound import Sound

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


def save_sounds(sounds: Sequence[Sound], folder: Path, *, subtype: str, force: bool, inputs: Sequence[Path] = ()) -> list[Path]:
    """Writes every sound with its recipe; none is written when one of the names is taken. Raises OutputExistsError.

    inputs: files that were read: not even `force` replaces them.
    """
    from timbrespace.atomic import check_absent

    targets = [folder / f"{sound.name}{suffix}" for sound in sounds for suffix in (".wav", ".json")]
    check_not_inputs(targets, inputs)
    for target in targets:
        check_absent(target, force=force)
    return [sound.save(folder, subtype=subtype, force=force) for sound in sounds]


def check_not_inputs(targets: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuses to write over a file that is read. Raises OutputExistsError."""
    from timbrespace.contracts import OutputExistsError

    read = {path.resolve() for path in inputs}
    for target in targets:
        if target.resolve() in read:
            raise OutputExistsError(f"{target} is itself an input and is never replaced; choose another folder with --out")


def tell(sounds: Sequence[Sound], paths: Sequence[Path], *, as_json: bool, **more: Any) -> None:
    """Prints what was written: a line a sound, copies marked."""
    from timbrespace.cli.common.corpus import print_json

    if as_json:
        rows = [
            {"file": str(path), "category": s.category, "seconds": round(s.seconds, 3), "nearest": s.nearest, "novelty": s.novelty}
            | {"is_copy": s.is_copy, "root_note": s.root_note}
            for s, path in zip(sounds, paths, strict=True)
        ]
        print_json({"sounds": rows, **more})
        return
    for sound, path in zip(sounds, paths, strict=True):
        novelty = "" if sound.novelty is None else f"  novelty {sound.novelty:.2f}  nearest {sound.nearest}"
        print(f"{path}  {sound.seconds:.2f} s{novelty}{'  COPY' if sound.is_copy else ''}")
    copies = sum(sound.is_copy for sound in sounds)
    print(f"{len(sounds)} sounds" + (f", {copies} of them copies of a training sound (marked)" if copies else ""))
    for label, value in more.items():
        print(f"{label}: {value}")
