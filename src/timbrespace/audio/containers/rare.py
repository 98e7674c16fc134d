"""Old formats whose header has a length: VOC (Creative), 8SVX (Amiga), NIST Sphere; libsndfile would read on to the end of the file."""

from __future__ import annotations

import re

from timbrespace.audio.containers.base import Header, Remark, Source, chunks, follows, promised
from timbrespace.audio.containers.voc import inspect_voc


def inspect_rare(source: Source) -> Header | None:
    """Returns the header of such a file, None for another file. Raises OSError."""
    if source.head.startswith(b"Creative Voice File\x1a"):
        return inspect_voc(source)
    if source.head[:4] == b"FORM" and source.head[8:12] in (b"8SVX", b"16SV"):
        return _svx(source)
    if source.head.startswith(b"NIST_1A"):
        return _nist(source)
    return None


def _svx(source: Source) -> Header:
    for chunk in chunks(source, 12, "big"):
        if chunk.name == b"BODY":
            present = source.size - chunk.start
            if chunk.length > present + 1:
                return Header("8SVX", damage=promised("bytes of sound", chunk.length, present))
            after = follows(source, chunk.stop + (chunk.length & 1), "big")
            remarks = (Remark("extra", after),) if after else ()
            return Header("8SVX", remarks=remarks, parts=((0, chunk.stop),) if chunk.stop < source.size else None)
    return Header("8SVX", damage="truncated: there is no sound data in it")


def _nist(source: Source) -> Header:
    fields = dict(re.findall(rb"^(\w+) -\w+ (\S+)", source.head[:1024], re.MULTILINE))
    try:
        announced, width, channels = (int(fields[name]) for name in (b"sample_count", b"sample_n_bytes", b"channel_count"))
        start = int(source.head[8:16])
    except (KeyError, ValueError):
        return Header("NIST")
    present = max(0, source.size - start) // max(1, width * channels)
    if fields.get(b"sample_coding", b"pcm") not in (b"pcm", b"ulaw", b"alaw", b"mu-law") or announced < 1:
        return Header("NIST")
    if announced > present:
        return Header("NIST", damage=promised("samples per channel", announced, present))
    stop = start + announced * width * channels
    if stop == source.size:
        return Header("NIST")
    extra = Remark("extra", f"{source.size - stop} bytes follow the sound; they are not read")
    return Header("NIST", remarks=(extra,) if any(source.read(stop, 65_536)) else (), parts=((0, stop),))
