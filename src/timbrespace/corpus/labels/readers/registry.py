"""The layouts that are known. A new reader is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.labels.readers import esc50, musicnet, nsynth, sidecar, urbansound8k
from timbrespace.corpus.labels.readers.labels import Listing


@dataclass(frozen=True)
class Reader:
    """`find(folder)`: the folder of this layout in or at `folder`, or None. `read(base, folder, files)`: its labels.

    `files` are the sound files that are there, relative to `folder`; no other is ever opened on a table's word.
    """

    find: Callable[[Path], Path | None]
    read: Callable[[Path, Path, frozenset[str]], Listing]
    needs: str


# In the order in which they are looked for.
READERS: dict[str, Reader] = {
    "table": Reader(sidecar.find, sidecar.read, sidecar.NEEDS),
    "musicnet": Reader(musicnet.find, musicnet.read, musicnet.NEEDS),
    "nsynth": Reader(nsynth.find, nsynth.read, nsynth.NEEDS),
    "urbansound8k": Reader(urbansound8k.find, urbansound8k.read, urbansound8k.NEEDS),
    "esc50": Reader(esc50.find, esc50.read, esc50.NEEDS),
}
LAYOUTS = ("auto", "folder", *READERS)


def check_layout(layout: str) -> None:
    """Raises ConfigError for a layout that is not known."""
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}, allowed are {', '.join(LAYOUTS)}")


def read_labels(folder: Path, files: frozenset[str], *, layout: str = "auto") -> Listing:
    """Labels of the sound `files` (relative names) of `folder` from the tables that lie there.

    layout: 'auto' takes the first that is found, 'folder' reads no table, a name insists. Raises ConfigError (unknown layout, or
    not found where it was insisted on), CorpusError (a table that cannot be used; says file, line, column).
    """
    check_layout(layout)
    if layout == "folder":
        return Listing()
    for name, reader in READERS.items():
        if layout not in ("auto", name):
            continue
        base = reader.find(folder)
        if base is not None:
            try:
                listing = reader.read(base, folder, files)
            except CorpusError as error:
                raise CorpusError(f"{folder} looks like {name}: {error}") from None
            listing.layout = name
            return listing.finish()
        if layout == name:
            raise ConfigError(f"{folder} is not laid out as {name}: {reader.needs}; layout 'auto' looks for what is there")
    return Listing()
