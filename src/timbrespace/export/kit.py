"""The kit model that all exporters share: sounds of one folder, and the pages of zones that play them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from timbrespace.export.drum_kinds import drum_kind

if TYPE_CHECKING:
    from timbrespace.synthesis.sound import Sound


@dataclass(frozen=True)
class KitEntry:
    """One sound of a kit.

    file: relative to the kit's folder. category: as the instrument names it. root_note: MIDI number of a pitched sound, None of a drum.
    seconds: length. label: name to show.
    """

    file: Path
    category: str | None
    root_note: int | None
    seconds: float
    label: str

    @property
    def kind(self) -> str | None:
        """General MIDI kind ("kick", "closed hat" …), None for a sound that is no known drum."""
        return drum_kind(self.category, self.label)[0]


@dataclass(frozen=True)
class Zone:
    """Keys `low` to `high` (MIDI numbers) that play one entry; `root` plays it at its own pitch. choke: group that silences itself."""

    entry: KitEntry
    low: int
    high: int
    root: int
    choke: str | None = None


@dataclass(frozen=True)
class Kit:
    """A named set of sounds in or below one folder. name: of the files that an exporter writes, without suffix."""

    name: str
    entries: tuple[KitEntry, ...]


def make_kit(sounds: Sequence[Sound], paths: Sequence[Path], *, name: str, folder: Path | None = None) -> Kit:
    """Returns the kit of rendered sounds whose WAV files `paths` are in one folder, or in and below `folder`.

    One known drum makes the whole batch a drum kit, one key a sound: a kick has a pitch too, but belongs on a pad.
    """
    entries = [
        KitEntry(
            file=Path(path.name) if folder is None else path.relative_to(folder),
            category=sound.category,
            root_note=sound.root_note,
            seconds=sound.seconds,
            label=sound.name,
        )
        for sound, path in zip(sounds, paths, strict=True)
    ]
    if any(entry.kind is not None for entry in entries):
        entries = [replace(entry, root_note=None) for entry in entries]
    return Kit(name, tuple(entries))


def is_pitched(zones: Sequence[Zone]) -> bool:
    """Returns whether every sound of a page has a root note."""
    return all(zone.entry.root_note is not None for zone in zones)


def one_line(text: str) -> str:
    """Returns `text` as one printable line, for comments inside a file."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
