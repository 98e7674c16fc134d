"""Finds the given sounds of a recipe again, by name and by SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from timbrespace.audio.files import find_audio, sha256_of
from timbrespace.contracts import ConfigError
from timbrespace.synthesis.detail.given import GivenSound, given_sound, latent_from, latent_to, read_given
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.file.contents import InstrumentContents

Sources = Path | str | Sequence[GivenSound | Tensor | Path | str]


def source_entry(contents: InstrumentContents, source: Source) -> dict[str, Any]:
    """Returns what a recipe holds of a given sound: its file's name, unless it is not to be named, the SHA-256, and the latent."""
    named = {} if source.given.file is None else {"file": source.given.file}
    return {**named, "sha256": source.given.sha256, "latent": latent_to(contents, source.encoded.z)}


def find_sources(contents: InstrumentContents, entries: Any, where: Sources | None, *, most: int = 2) -> list[GivenSound]:
    """Returns the given sounds of a recipe, each with the latent that the recipe holds.

    entries: "sources" of the recipe. where: the folder that holds the files, under any name, or the sounds themselves; None: unknown.
    most: of them. Raises ConfigError where one is gone or changed.
    """
    if not isinstance(entries, list) or not 1 <= len(entries) <= most or not all(_is_entry(entry) for entry in entries):
        raise ConfigError("the recipe's sources are damaged; give the JSON file as it was written")
    candidates = [given_sound(contents, sound) for sound in where] if isinstance(where, Sequence) and not isinstance(where, str) else None
    found = []
    for entry in entries:
        if candidates is not None:
            given = next((sound for sound in candidates if sound.sha256 == entry["sha256"]), None)
            if given is None:
                raise ConfigError(f"{_name(entry)}, which this sound was made from, is not among the given sounds; give it unchanged")
        else:
            given = _in_folder(contents, entry, None if where is None else Path(where))  # type: ignore[arg-type]
        try:
            found.append(replace(given, file=entry.get("file"), latent=latent_from(contents, entry["latent"])))
        except (ValueError, TypeError, AttributeError):
            raise ConfigError("the recipe's sources do not fit this instrument; give the JSON file as it was written") from None
    return found


def _in_folder(contents: InstrumentContents, entry: dict[str, Any], folder: Path | None) -> GivenSound:
    name = _name(entry)
    if folder is None:
        raise ConfigError(f"this sound was made from {name}, which is needed to make it again; give its folder (--source)")
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the one that holds {name} with --source")
    file = entry.get("file")
    if file is not None and (folder / file).is_file() and sha256_of(folder / file) == entry["sha256"]:
        return read_given(contents, folder / file)
    for path in find_audio(folder):
        if path.is_file() and sha256_of(path) == entry["sha256"]:
            return read_given(contents, path)
    if file is not None and (folder / file).is_file():
        raise ConfigError(
            f"{folder / file} has changed since this sound was made from it (its SHA-256 differs); restore it, or give the folder of the "
            "original with --source"
        )
    raise ConfigError(
        f"{name}, which this sound was made from, is not in {folder}, under any name; give the folder that holds it with --source"
    )


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("file") or f"a file that is not named (SHA-256 {entry['sha256'][:12]}…)")


def _is_entry(entry: Any) -> bool:
    """Whether an entry has a SHA-256, and a name without a folder if any."""
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str) or len(entry["sha256"]) != hashlib.sha256().digest_size * 2:
        return False
    file = entry.get("file")
    return file is None or (
        isinstance(file, str) and 0 < len(file) < 1024 and Path(file).name == file and "\\" not in file and "\0" not in file
    )
