"""Writes a folder of sounds as a kit for samplers: SFZ (sfizz, ARIA, liquidsfz, DAWs) and Decent Sampler. The files are not touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from timbrespace.atomic import check_absent, write_text
from timbrespace.contracts import ConfigError
from timbrespace.export.keymap import KitEntry, Zone, keymap, kind_of
from timbrespace.synthesis.names import safe_name

__all__ = ["KitEntry", "write_decent_sampler", "write_sfz"]

RELEASE = 0.25  # s, of pitched sounds after the key is let go
CHOKE = 0.02  # s: an open hat that a closed one stops
_SFZ_WORDS = "=$#<"  # these start opcodes, variables, directives and headers, even inside a sample's path


def write_sfz(folder: Path | str, entries: Sequence[KitEntry], *, name: str, force: bool = False) -> list[Path]:
    """Writes `<name>.sfz` into the kit's folder, further pages as `<name> 2.sfz` and so on (see `keymap`).

    entries: their files must exist, relative to `folder`. Returns the paths written, in order.
    Raises ConfigError (a file outside, missing, or with a name that SFZ cannot hold), OutputExistsError.
    """
    return _write(Path(folder), entries, name, ".sfz", _sfz, force)


def write_decent_sampler(folder: Path | str, entries: Sequence[KitEntry], *, name: str, force: bool = False) -> list[Path]:
    """Writes `<name>.dspreset` (XML) into the kit's folder; everything else as `write_sfz`."""
    return _write(Path(folder), entries, name, ".dspreset", _dspreset, force)


def _write(
    folder: Path, entries: Sequence[KitEntry], name: str, suffix: str, page: Callable[[str, list[Zone]], str], force: bool
) -> list[Path]:
    for entry in entries:
        _check_file(folder, entry, sfz=suffix == ".sfz")
    pages = keymap(entries)
    title = safe_name(name)
    titles = [title if k == 0 else f"{title} {k + 1}" for k in range(len(pages))]
    paths = [folder / f"{title}{suffix}" for title in titles]
    for path in paths:
        check_absent(path, force=force)  # all before the first is written
    for path, title, zones in zip(paths, titles, pages, strict=True):
        write_text(path, page(title, zones), force=force)
    return paths


def _check_file(folder: Path, entry: KitEntry, *, sfz: bool) -> None:
    path = PurePosixPath(entry.file.as_posix())
    if path.is_absolute() or entry.file.is_absolute() or ".." in path.parts or "\\" in str(path):
        raise ConfigError(f"{entry.file} must lie inside the kit's folder and be given relative to it")
    if not (folder / entry.file).is_file():
        raise ConfigError(f"{entry.file} is not in {folder}; write the sounds first, then the kit")
    unfit = sorted(set(str(path)) & set(_SFZ_WORDS)) if sfz else []
    if unfit or any(ord(letter) < 32 for letter in str(path)):
        raise ConfigError(f"the file name {str(path)!r} holds {' '.join(unfit) or 'control characters'}, which SFZ cannot; rename the file")


def _sfz(title: str, zones: list[Zone]) -> str:
    pitched = _is_pitched(zones)
    # A pitched note ends when its key is let go, a drum plays to its end.
    playing = f"loop_mode=no_loop ampeg_release={RELEASE}" if pitched else "loop_mode=one_shot"
    lines = [f"// {_one_line(title)}: {len(zones)} sounds, made by timbrespace", "", f"<global> {playing}", ""]
    for choke, members in groupby(sorted(zones, key=lambda zone: (zone.choke or "", zone.low)), key=lambda zone: zone.choke):
        lines.append("<group>" if choke is None else "<group> group=1 off_by=1 off_mode=fast")
        for zone in members:
            keys = f"lokey={zone.low} hikey={zone.high} pitch_keycenter={zone.root}" if pitched else f"key={zone.root}"
            lines += [f"// {_one_line(zone.entry.label)}", f"<region> {keys}", f"sample={zone.entry.file.as_posix()}", ""]
    return "\n".join(lines)


def _dspreset(title: str, zones: list[Zone]) -> str:
    root = ElementTree.Element("DecentSampler", minVersion="1.0.0")
    root.append(ElementTree.Comment(f" {_one_line(title).replace('--', '- -')}: {len(zones)} sounds, made by timbrespace "))
    groups = ElementTree.SubElement(root, "groups")
    pitched = _is_pitched(zones)

    def kind(zone: Zone) -> str:
        return zone.choke or kind_of(zone.entry)[0] or zone.entry.category or "sounds"

    for name, members in groupby(sorted(zones, key=lambda zone: (kind(zone), zone.low)), key=kind):
        tag = "-".join(safe_name(name).replace(",", " ").split()).lower()  # a comma parts tags
        group = ElementTree.SubElement(groups, "group", tags=tag)
        for zone in members:
            if zone.choke is not None:
                group.set("silencedByTags", tag)
                group.set("silencingMode", "fast")
                group.set("silencingDecay", str(CHOKE))
            sample = ElementTree.SubElement(group, "sample", path=zone.entry.file.as_posix(), rootNote=str(zone.root))
            sample.set("loNote", str(zone.low))
            sample.set("hiNote", str(zone.high))
            sample.set("loopEnabled", "false")
            if pitched:
                sample.set("release", str(RELEASE))
            else:  # without its envelope a sample plays to the end, key held or not
                sample.set("ampEnvEnabled", "false")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _is_pitched(zones: list[Zone]) -> bool:
    return all(zone.entry.root_note is not None for zone in zones)


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
