"""Modulations: vibrato and tremolo of sounds measured, scaled, made faster or slower, added, moved from one sound to another (source B)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbrespace.modulation.change import Changed
    from timbrespace.modulation.measuring import Measured

__all__ = ["measure", "modulate"]


def measure(path: Path | str) -> Measured:
    """Returns vibrato and tremolo of a sound file: rate, depth, delay and regularity, of each note and of all. Raises AudioFileError."""
    from timbrespace.audio.files import read_array
    from timbrespace.modulation.measuring import measure_audio

    return measure_audio(*read_array(Path(path)))


def modulate(
    path: Path | str, *, vibrato: float | str | None = None, tremolo: float | str | None = None, vibrato_rate: float | str | None = None,
    tremolo_rate: float | str | None = None, source: Path | str | None = None,
) -> Changed:  # fmt: skip
    """Returns a sound file with other modulations; `audio` is `(channels, time)` at its own rate.

    vibrato, tremolo: a factor of the depth (0 removes it), or a depth, "30cents" or "3dB", which is added where there is none. The rates:
    in Hz, or "x1.2". source: a sound file whose modulations this one takes on. Raises AudioFileError, ConfigError.
    """
    from timbrespace.audio.files import read_array
    from timbrespace.modulation.change import change, donor_of
    from timbrespace.modulation.measuring import split
    from timbrespace.modulation.options import read_wish

    wishes = read_wish("vibrato", vibrato, vibrato_rate), read_wish("tremolo", tremolo, tremolo_rate)
    donor = None if source is None else donor_of(split(*read_array(Path(source))), Path(source).name)
    return change(*read_array(Path(path)), *wishes, donor)
