"""Small kits for the tests of exporters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from timbrespace.export.kit import KitEntry, Zone

RATE = 44_100


def entry(name: str, category: str | None = None, *, root: int | None = None, seconds: float = 0.5) -> KitEntry:
    """An entry whose label is its file name."""
    return KitEntry(Path(f"{name}.wav"), category, root, seconds, name)


def labels_by_root(zones: list[Zone]) -> dict[int, str]:
    """Root key -> label."""
    return {zone.root: zone.entry.label for zone in zones}


def write_sounds(folder: Path, entries: list[KitEntry]) -> list[KitEntry]:
    """Writes a decaying tone for every entry, each of its own pitch, so that a player's output shows which file was played."""
    for k, one in enumerate(entries):
        path = folder / one.file
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(one.seconds * RATE)) / RATE
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * (300 + 110 * k) * time) * np.exp(-3 * time / one.seconds), RATE, subtype="PCM_16")
    return entries


def drum_entries() -> list[KitEntry]:
    """Eleven drums: kinds with and without General MIDI keys, plain hats, names with letters beyond ASCII."""
    return [
        entry("kick/kick 001", "kick"),
        entry("snare/snare 001", "snare"),
        entry("hat/hat long", "hat", seconds=0.9),
        entry("hat/hat short", "hat", seconds=0.1),
        entry("clap/clap 001", "clap"),
        entry("tom/tom 001", "tom"),
        entry("tom/tom 002", "tom"),
        entry("cymbal/crash 001", "cymbal"),
        entry("kick/kick 002", "kick"),
        entry("kick/kick 003", "kick"),
        entry("odd/grosse trömmel & söhne", None),
    ]
