"""A page of sounds in sections, with players and spectrograms: what `find --page` writes. The audio is inside the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.audio.files import read
from timbrespace.contracts import TimbrespaceError
from timbrespace.report.notebook.cells import LONGEST_SECONDS, Tile, tile_of
from timbrespace.report.templates import render
from timbrespace.synthesis.sound import Sound

MOST_BYTES = 60_000_000  # of the audio of a page
MOST_TILES = 600  # of a page
_ABOUT = "The audio of your files is inside this page: share it only where you would share them."


@dataclass(frozen=True)
class Item:
    """A sound of a section: its file, None where that is not known; title, and lines under it."""

    path: Path | None
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Sounds that belong together: title, lines under it, the sounds."""

    title: str
    items: tuple[Item, ...]
    lines: tuple[str, ...] = ()


@dataclass
class _Shown:
    """A section as the template has it."""

    title: str
    lines: tuple[str, ...]
    tiles: list[Tile] = field(default_factory=list)


def write_listing(path: Path, title: str, sections: Sequence[Section], *, force: bool = False) -> Path:
    """Writes a page with the sounds of sections and returns its path. Raises OutputExistsError.

    At most 600 sounds and 60 MB of audio; the rest is named at the end. A file that cannot be read has its reason in place of a player.
    """
    shown, room, left = [], MOST_BYTES, MOST_TILES
    for section in sections:
        if left <= 0:
            break
        sounds = [_read(item) for item in section.items[:left]]
        span = max((min(sound.seconds, LONGEST_SECONDS) for sound in sounds if isinstance(sound, Sound)), default=1.0)
        part = _Shown(section.title, section.lines)
        for item, sound in zip(section.items, sounds, strict=False):
            if isinstance(sound, Sound):
                tile, used = tile_of(sound, item.lines, span=span, room=room)
                room -= used
            else:
                tile = Tile(item.title, item.lines, "", "", sound)
            part.tiles.append(tile)
        left -= len(part.tiles)
        shown.append(part)
    missing = sum(len(section.items) for section in sections) - sum(len(part.tiles) for part in shown)
    about = _ABOUT + (f" {missing} further sounds are not shown." if missing else "")
    text = render("listing.html", title=title, about=about, sections=shown, made_with=f"timbrespace {__version__}")
    write_text(path, text, force=force)
    return path


def _read(item: Item) -> Sound | str:
    """The sound of an item, or why there is none."""
    if item.path is None:
        return "its file is not known; --sounds FOLDER names the folder of the training sounds"
    try:
        audio, rate = read(item.path)
    except TimbrespaceError as error:
        return str(error)
    return Sound(item.title, audio, rate)
