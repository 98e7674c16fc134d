"""Says of given sounds that they are of a kind that the instrument never learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.synthesis.instrument import Instrument


def unlike_sounds(instrument: Instrument, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns {"file", "novelty"} for each file whose novelty is above `novelty.UNLIKE`; none for a stripped instrument.

    Raises AudioFileError, ShapeError.
    """
    rows = (unlike(instrument, file, instrument.read(file)) for file in dict.fromkeys(files))
    return [row for row in rows if row is not None]


def unlike(instrument: Instrument, file: Path, audio: Tensor) -> dict[str, Any] | None:
    """Returns {"file", "novelty"} if the sound `(channels, time)` of a file is unlike all that the instrument learned, else None."""
    nearest, unit = instrument.novelty(audio), instrument.contents.novelty_unit
    if nearest is None or unit is None or not nearest.is_unlike(unit):
        return None
    return {"file": str(file), "novelty": nearest.novelty}


def print_unlike(rows: Sequence[dict[str, Any]]) -> None:
    """Prints a line a file on the error stream."""
    import sys

    from timbrespace.cli.common.text import printable

    for row in rows:
        print(f"{printable(row['file'])}: this instrument never learned anything like it: novelty {row['novelty']:.1f}", file=sys.stderr)
