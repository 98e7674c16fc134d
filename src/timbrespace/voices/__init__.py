"""Voices: the timbres of instruments learned from recordings, blended, and played by a given piece (source D)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.voices.arrays.conversion import ArrayConverted
    from timbrespace.voices.arrays.file import ArrayVoices
    from timbrespace.voices.arrays.training import ArrayOptions
    from timbrespace.voices.conversion import Converted
    from timbrespace.voices.file import Voices
    from timbrespace.voices.training import Progress, VoicesOptions

__all__ = ["convert", "load", "train"]


def load(path: Path | str) -> Voices | ArrayVoices:
    """Returns the voices of a file. Raises InstrumentFileError."""
    from timbrespace.voices.kinds.opening import open_voices

    return open_voices(Path(path))


def train(
    folders: Mapping[str, Path | str],
    out: Path | str | None = None,
    options: VoicesOptions | ArrayOptions | None = None,
    *,
    force: bool = False,
    resume: bool = False,
    skipped: list[dict[str, str]] | None = None,
    progress: Progress | None = None,
) -> Voices | ArrayVoices:
    """Returns voices learned from recordings, and writes them to `out` where it is given.

    folders: of recordings, or one file, by the name of their instrument; at least two. options: default `VoicesOptions()`; `ArrayOptions`
    for one of source D's designs. resume: continue a stopped training of `out`. skipped: gets the files that were passed over, with
    reasons. Raises CorpusError, ConfigError, OutputExistsError.
    """
    from timbrespace.voices.kinds.learning import learn
    from timbrespace.voices.training import VoicesOptions

    places = {name: Path(folder) for name, folder in folders.items()}
    options = options or VoicesOptions()
    return learn(places, None if out is None else Path(out), options, force=force, resume=resume, skipped=skipped, progress=progress)


def convert(voices: Voices | ArrayVoices, piece: Path | str, to: Mapping[str, float], **options: Any) -> Converted | ArrayConverted:
    """Returns a sound file played by a voice; `audio` is `(channels, time)` at 44.1 kHz.

    to: weights of the instruments. options: see `ConversionOptions`, and `ArrayConversionOptions` for one of source D's designs. Raises
    AudioFileError, ConfigError.
    """
    from timbrespace.voices.kinds.kind import kind_of
    from timbrespace.voices.stream.reading import read_rows
    from timbrespace.voices.weights import Curve, checked

    kind = kind_of(voices)
    settings = kind.options(**options)
    wave = read_rows(Path(piece)).audio[:].T
    return kind.convert(voices, wave, Curve(((0.0, checked(to, voices.names)),)), settings)
