"""AU, the format of Sun and NeXT: one header, then the sound up to the end."""

from __future__ import annotations

from typing import Literal

from timbrespace.audio.containers.base import NO_LENGTH, Header, Remark, Source, promised


def inspect_au(source: Source) -> Header:
    """The header of an AU file, in either byte order. Raises OSError."""
    order: Literal["big", "little"] = "big" if source.head[:4] == b".snd" else "little"
    magic = b".snd" if order == "big" else b"dns."  # SoX writes b"\0ds.", which libsndfile does not know
    start, length = (int.from_bytes(source.head[at : at + 4], order) for at in (4, 8))
    present = source.size - start
    if len(source.head) < 24 or present < 0:
        return Header("AU", damage="truncated: there is no sound data in it")
    if length == 0 and present == 0:
        return Header("AU")
    remarks: tuple[Remark, ...] = ()
    if length == 0 or (length >= 0x7F000000 and length > present):
        length, remarks = present, (NO_LENGTH,)
    elif length > present:
        return Header("AU", damage=promised("bytes of sound", length, present))
    elif any(source.read(start + length, 65_536)):
        what = f"{present - length} bytes follow the sound; they are not read"
        if source.read(start + length, 4) == source.head[:4]:
            what = "another sound file follows in the same file; it is not read"
        remarks = (Remark("extra", what),)
    elif magic == source.head[:4]:
        return Header("AU")
    size = length.to_bytes(4, order) if length < 0xFFFFFFFF else b"\xff\xff\xff\xff"
    parts = (magic + source.head[4:8] + size + source.read(12, start - 12), (start, start + length))
    return Header("AU", remarks=remarks, parts=parts)
