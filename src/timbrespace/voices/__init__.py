"""Voices: the timbres of instruments learned from recordings, blended, and played by a given piece (source D)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.voices.conversion import Converted
    from timbrespace.voices.file import Voices
    from timbrespace.voices.training import Progress, VoicesOptions

__all__ = ["convert", "load", "train"]


def load(path: Path | str) -> Voices:
    """Returns the voices of a file. Raises InstrumentFileError."""
    from timbrespace.voices.file import read_voices_file

    return read_voices_file(Path(path))


def train(
    folders: Mapping[str, Path | str],
    out: Path | str | None = None,
    options: VoicesOptions | None = None,
    *,
    force: bool = False,
    skipped: list[dict[str, str]] | None = None,
    progress: Progress | None = None,
) -> Voices:
    """Returns voices learned from recordings, and writes them to `out` where it is given.

    folders: of recordings, or one file, by the name of their instrument; at least two. skipped: gets the files that were passed over,
    with reasons. Raises CorpusError, ConfigError, OutputExistsError.
    """
    from timbrespace.atomic import check_absent
    from timbrespace.voices.file import Voices, write_voices
    from timbrespace.voices.training import fit_voices, read_voices

    if out is not None:
        check_absent(Path(out), force=force)
    recordings = read_voices({name: Path(folder) for name, folder in folders.items()}, skipped=skipped, progress=progress)
    voices = Voices(*fit_voices(recordings, options, progress=progress))
    if out is not None:
        write_voices(voices, Path(out), force=force)
    return voices


def convert(voices: Voices, piece: Path | str, to: Mapping[str, float], **options: Any) -> Converted:
    """Returns a sound file played by a voice; `audio` is `(channels, time)` at 44.1 kHz.

    to: weights of the instruments. options: see `ConversionOptions`. Raises AudioFileError, ConfigError.
    """
    from timbrespace.voices.conversion import ConversionOptions
    from timbrespace.voices.conversion import convert as convert_wave
    from timbrespace.voices.pieces import read_piece
    from timbrespace.voices.weights import Curve, checked

    wave, _ = read_piece(Path(piece))
    return convert_wave(voices, wave, Curve(((0.0, checked(to, voices.names)),)), ConversionOptions(**options))
