"""The raw bytes of an instrument file and its JSON header, read without trust in either."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.file.layout import CHECKSUM, DESIGN_FORMAT, FORMAT, KEY, LARGEST_FILE, VERSION, VOICES_FORMAT
from timbrespace.wording import similar_names


def read_header(path: Path) -> dict[str, Any]:
    """Returns the JSON header of an instrument file. Raises InstrumentFileError."""
    return parse_header(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Returns the bytes of a file of plausible size. Raises InstrumentFileError for a folder, a missing or an unreadable file."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InstrumentFileError(f"{path} is a folder; give an instrument file made by `timbrespace train`")
        if not 8 <= size <= LARGEST_FILE:
            raise InstrumentFileError(f"{path} has {size} bytes, it is not an instrument file; give one made by `timbrespace train`")
        return path.read_bytes()
    except FileNotFoundError:
        advice = f"make an instrument with `timbrespace train FOLDER --out {path.name}`"
        raise InstrumentFileError(f"{path} does not exist{similar_names(path)}; {advice}") from None
    except OSError as error:
        raise InstrumentFileError(f"{path} cannot be read: {error.strerror or error}") from None


def parse_header(path: Path, data: bytes) -> dict[str, Any]:
    """Returns the JSON header of `data`, the bytes of `path`. Raises InstrumentFileError for another format or version."""
    size = int.from_bytes(data[:8], "little")
    try:
        if size > len(data) - 8:
            raise ValueError("the header is longer than the file")
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY], parse_constant=_refuse, parse_float=_finite)
        if header["format"] in (VOICES_FORMAT, DESIGN_FORMAT):
            raise InstrumentFileError(f"{path} holds voices, which play a given piece: timbrespace convert {path.name} PIECE --to NAME=1")
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r:.60}")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InstrumentFileError(f"{path} is not a timbrespace instrument; give a file made by `timbrespace train`") from None
    version = header.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise InstrumentFileError(
            f"{path} was made by a newer version of timbrespace (instrument version {version!r:.40}, this release reads {VERSION}); "
            "update timbrespace: pip install --upgrade timbrespace"
        )
    if version != VERSION or isinstance(version, bool):
        raise InstrumentFileError(f"{path} is of instrument version {version!r:.40}, this release reads {VERSION}; train it again")
    return dict(header)


def checksum_of(header: Mapping[str, Any], data: bytes) -> str:
    """The checksum of an instrument file: of its JSON header without the key "checksum", and of the bytes of all tensors.

    data: the bytes of the file, or of the same tensors with other metadata.
    """
    rest = {name: value for name, value in header.items() if name != CHECKSUM}
    digest = hashlib.blake2b(json.dumps(rest).encode(), digest_size=16)
    digest.update(memoryview(data)[8 + int.from_bytes(data[:8], "little") :])
    return digest.hexdigest()


def check_checksum(header: Mapping[str, Any], data: bytes) -> None:
    """Raises InstrumentFileError if the file is not what was written. Files of earlier versions have no checksum."""
    if CHECKSUM in header and header[CHECKSUM] != checksum_of(header, data):
        raise InstrumentFileError("its checksum does not fit: some bytes have changed since it was written; copy it again from a backup")


def is_plain(value: Any, *, depth: int = 16) -> bool:
    """Returns whether a JSON value can be printed: nested at most `depth` levels, all text valid Unicode."""
    if isinstance(value, (dict, list)):
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        return depth > 0 and all(is_plain(part, depth=depth - 1) for part in inner)
    return not isinstance(value, str) or value.encode("utf-8", "ignore").decode() == value


def integer_in(header: dict[str, Any], name: str, low: int, high: int) -> int:
    """Returns the integer `name` of the header. Raises InstrumentFileError unless it is within `low` to `high`."""
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InstrumentFileError(f"{name} is {value!r:.60}, allowed is {low} to {high}; the file is damaged")
    return value


def labels_in(values: Any) -> tuple[str | None, ...]:
    """Returns a JSON list of categories as a tuple. Raises InstrumentFileError for anything but text or null."""
    if not isinstance(values, list) or not all(value is None or isinstance(value, str) for value in values):
        raise InstrumentFileError("the categories are damaged")
    return tuple(values)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not allowed")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)
