"""Says of given sounds that they are of a kind that the instrument never learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.instrument import Instrument


def unlike_sounds(instrument: Instrument, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns {"file", "novelty"} for each file whose novelty is above `novelty.UNLIKE`.

    None for a stripped instrument, or where novelty has no unit. Raises AudioFileError, ShapeError.
    """
    rows = (unlike(instrument, file, instrument.read(file)) for file in dict.fromkeys(files))
    return [row for row in rows if row is not None]


def unlike(instrument: Instrument, file: Path, audio: Tensor) -> dict[str, Any] | None:
    """Returns {"file", "novelty"} if the sound `(channels, time)` of a file is unlike all that the instrument learned, else None.

    Raises ShapeError for silence.
    """
    from timbrespace.contracts import ShapeError

    try:
        nearest = instrument.novelty(audio)
    except ShapeError as error:  # silent
        raise ShapeError(f"{file}: {error}") from None
    return {"file": str(file), "novelty": nearest.novelty} if nearest is not None and nearest.is_unlike else None


def print_no_detail(instrument: Instrument) -> None:
    """Prints on the error stream that an instrument carries no detail of given sounds along."""
    import sys

    print(
        f"this instrument's view ({type(instrument.representation).__name__}) keeps no detail of your sounds: sounds made from them "
        "go through the latent alone; unchanged sounds (amount or temperature 0, the ends of a morph) are your own",
        file=sys.stderr,
    )


def print_unlike(rows: Sequence[dict[str, Any]]) -> None:
    """Prints a line a file on the error stream."""
    import sys

    from timbrespace.cli.common.text import printable

    for row in rows:
        print(f"{printable(row['file'])}: this instrument never learned anything like it: novelty {row['novelty']:.1f}", file=sys.stderr)
