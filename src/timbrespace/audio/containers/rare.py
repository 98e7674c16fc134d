"""Old formats whose header has a length: VOC (Creative), 8SVX (Amiga), NIST Sphere; libsndfile decodes them."""

from __future__ import annotations

import re

from timbrespace.audio.containers.base import Header, Source, chunks, promised


def inspect_rare(source: Source) -> Header | None:
    """Returns the header of such a file, None for another file. Raises OSError."""
    if source.head.startswith(b"Creative Voice File\x1a"):
        return _voc(source)
    if source.head[:4] == b"FORM" and source.head[8:12] in (b"8SVX", b"16SV"):
        return _svx(source)
    if source.head.startswith(b"NIST_1A"):
        return _nist(source)
    return None


def _voc(source: Source) -> Header:
    position = int.from_bytes(source.head[20:22], "little")
    while position + 4 <= source.size:
        head = source.read(position, 4)
        length, present = int.from_bytes(head[1:], "little"), source.size - position - 4
        if head[0] in (1, 9):  # sound; blocks behind it are not looked at, since some programs give it a wrong length
            return Header("VOC", damage=promised("bytes of sound", length, present) if length > present else None)
        position += 4 + length
    return Header("VOC", damage="truncated: there is no sound data in it")


def _svx(source: Source) -> Header:
    for chunk in chunks(source, 12, "big"):
        if chunk.name == b"BODY":
            present = source.size - chunk.start
            return Header("8SVX", damage=promised("bytes of sound", chunk.length, present) if chunk.length > present + 1 else None)
    return Header("8SVX", damage="truncated: there is no sound data in it")


def _nist(source: Source) -> Header:
    fields = dict(re.findall(rb"^(\w+) -\w+ (\S+)", source.head[:1024], re.MULTILINE))
    try:
        announced, width, channels = (int(fields[name]) for name in (b"sample_count", b"sample_n_bytes", b"channel_count"))
        start = int(source.head[8:16])
    except (KeyError, ValueError):
        return Header("NIST")
    present = max(0, source.size - start) // max(1, width * channels)
    plain = fields.get(b"sample_coding", b"pcm") in (b"pcm", b"ulaw", b"alaw", b"mu-law")
    return Header("NIST", damage=promised("samples per channel", announced, present) if plain and announced > present else None)
