"""Writes a batch of sounds as a kit in every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from timbrespace.export.kit import make_kit
from timbrespace.export.registry import EXPORTERS

if TYPE_CHECKING:
    from timbrespace.synthesis.sound import Sound


class Written(NamedTuple):
    """The files of a kit, and the sounds that are not in it, each with the format that cannot hold its name."""

    files: list[Path]
    left_out: list[str]


def write_kits(sounds: Sequence[Sound], paths: Sequence[Path], folder: Path, *, name: str, force: bool = False) -> Written:
    """Writes the kit `name` of sounds into their folder, in every format. paths: of the WAV files, one a sound, in or below the folder.

    Files whose names a format cannot hold are left out of it. Raises OutputExistsError, TimbrespaceError.
    """
    written: list[Path] = []
    left_out: list[str] = []
    for exporter in EXPORTERS.values():
        fits = [not exporter.unfit(path.relative_to(folder).as_posix()) for path in paths]
        pairs = [(sound, path) for sound, path, fit in zip(sounds, paths, fits, strict=True) if fit]
        left_out += [f"{path} ({exporter.title})" for path, fit in zip(paths, fits, strict=True) if not fit]
        if pairs:
            kit = make_kit([sound for sound, _ in pairs], [path for _, path in pairs], folder=folder, name=name)
            written += exporter.export(kit, folder, force=force)
    return Written(written, left_out)
