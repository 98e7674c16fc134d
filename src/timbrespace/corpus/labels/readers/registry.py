"""All known layouts. A new reader is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.labels.readers import musicnet, nsynth, sidecar
from timbrespace.corpus.labels.readers.audio_table import ESC50, URBANSOUND8K
from timbrespace.corpus.labels.readers.labels import CorpusLabels


@dataclass(frozen=True)
class Reader:
    """Reads the tables of one layout.

    find(folder): the folder of this layout, `folder` or one in it, or None. read(base, folder, files): its labels, where `base` is
    the folder found and `files` are the present sound files, relative to `folder`; no other file is opened because a table names it.
    needs: what a folder of this layout must have, for messages.
    """

    find: Callable[[Path], Path | None]
    read: Callable[[Path, Path, frozenset[str]], CorpusLabels]
    needs: str


# In the order in which 'auto' tries them.
READERS: dict[str, Reader] = {
    "table": Reader(sidecar.find, sidecar.read, sidecar.NEEDS),
    "musicnet": Reader(musicnet.find, musicnet.read, musicnet.NEEDS),
    "nsynth": Reader(nsynth.find, nsynth.read, nsynth.NEEDS),
    "urbansound8k": Reader(URBANSOUND8K.find, URBANSOUND8K.read, URBANSOUND8K.needs),
    "esc50": Reader(ESC50.find, ESC50.read, ESC50.needs),
}
LAYOUTS = ("auto", "folder", *READERS)


def check_layout(layout: str) -> None:
    """Raises ConfigError for an unknown layout."""
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}, allowed are {', '.join(LAYOUTS)}")


def read_labels(folder: Path, files: frozenset[str], *, layout: str = "auto") -> CorpusLabels:
    """Labels of the sound `files` (relative names) of `folder` from the tables in it.

    layout: 'auto' uses the first layout that is found, 'folder' reads no table, a name requires that layout. Raises ConfigError for a
    layout that is unknown or required but not found, CorpusError for a table that cannot be used (with file, line and column).
    """
    check_layout(layout)
    if layout == "folder":
        return CorpusLabels()
    for name, reader in READERS.items():
        if layout not in ("auto", name):
            continue
        base = reader.find(folder)
        if base is not None:
            try:
                labels = reader.read(base, folder, files)
            except CorpusError as error:
                raise CorpusError(f"{folder} looks like {name}: {error}") from None
            labels.layout = name
            return labels.finish()
        if layout == name:
            raise ConfigError(f"{folder} is not laid out as {name}: {reader.needs}; layout 'auto' uses the layout that is there")
    return CorpusLabels()
