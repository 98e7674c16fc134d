"""Detects truncated sound files, which libsndfile reads without an error."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0x7FFFFF00, 0xFFFFFFFF, 0xFFFFFF00)  # sizes that streaming writers put in before the length is known
_OGG_TAIL = 65_307  # bytes; the largest Ogg page, so the last page is within it


def truncation(path: Path) -> str | None:
    """How a WAV, AIFF or Ogg file is truncated, or None if it is complete or of another format.

    Only headers are read. Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) == 12 and head[:4] == b"RIFF" and head[8:] == b"WAVE":
            return _chunks(file, size, order="<", wanted=b"data")
        if len(head) == 12 and head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
            return _chunks(file, size, order=">", wanted=b"SSND")
        if head[:4] == b"OggS":
            file.seek(max(0, size - _OGG_TAIL))
            tail = file.read()
            last = tail.rfind(b"OggS")
            if last < 0 or last + 27 > len(tail) or not tail[last + 5] & 4:  # 4: the flag of a stream's last page
                return "truncated: the end of the Ogg stream is missing"
            segments = tail[last + 27 : last + 27 + tail[last + 26]]
            if last + 27 + tail[last + 26] + sum(segments) > len(tail):
                return "truncated: the last Ogg page is cut"
    return None


def _chunks(file: BinaryIO, size: int, *, order: str, wanted: bytes) -> str | None:
    """How the sound data (chunk `wanted`) of a RIFF (order '<') or FORM ('>') file is truncated, or None."""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == wanted:
            if length in _UNKNOWN_SIZES:
                return None
            here = size - position - 8
            if length > here + 1:  # some writers count a padding byte that they do not write
                return f"truncated: the header says {length} bytes of sound, the file has {here}"
            return None
        position += 8 + length + (length & 1)
    return "truncated: it contains no sound data"
