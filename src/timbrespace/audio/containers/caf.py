"""CAF, Apple's Core Audio Format: chunks with 64-bit sizes; the length of the sound may be unknown if it is the last chunk."""

from __future__ import annotations

import struct

from timbrespace.audio.containers.aiff import rebuilt as as_aiff
from timbrespace.audio.containers.base import NO_LENGTH, Chunk, Header, Part, Remark, Source, promised

_CODECS = {
    b"aac ": "AAC", b"aach": "AAC (HE)", b"aacp": "AAC (HE v2)", b"aacl": "AAC (LD)", b"opus": "Opus", b"flac": "FLAC", b".mp3": "MP3",
    b".mp2": "MP2", b".mp1": "MP1", b"MAC3": "MACE 3:1", b"MAC6": "MACE 6:1", b"QDM2": "QDesign Music 2", b"QDMC": "QDesign Music",
    b"Qclp": "Qualcomm PureVoice", b"ilbc": "iLBC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b"samr": "AMR",
}  # fmt: skip
_IMA4_BYTES, _IMA4_SAMPLES = 34, 64  # a packet of one channel


def inspect_caf(source: Source) -> Header:
    """The header of a CAF file. Raises OSError."""
    found: dict[bytes, Chunk] = {}
    position, after = 8, False
    while position + 12 <= source.size:
        name, length = struct.unpack(">4sq", source.read(position, 12))
        present = source.size - position - 12
        chunk = Chunk(name, position + 12, length)
        if b"data" in found:  # after the sound: the packet table of some files, or other data
            if not all(32 <= letter < 127 for letter in name) or not 0 <= length <= present:
                after = any(source.read(position, 65_536))
                break
        elif name == b"data":
            rest = source.read(chunk.stop, 4) if 4 <= length < present else b""
            if length < 4 or (length > present and length >= 1 << 50) or (length == 4 and rest and not rest.strip(b"\0").isalnum()):
                found[name] = Chunk(name, chunk.start, present)
                return _judge(source, found, streamed=present > 4, after=False)
            if length > present:
                return Header("CAF", damage=promised("bytes of sound", length - 4, max(0, present - 4)))
        if length < 0 or length > present or name == bytes(4):
            break
        found[name] = chunk
        position = chunk.stop
    if b"data" not in found or b"desc" not in found:
        return Header("CAF", damage="truncated: there is no sound data in it")
    return _judge(source, found, streamed=False, after=after)


def _judge(source: Source, found: dict[bytes, Chunk], *, streamed: bool, after: bool) -> Header:
    data = found[b"data"]
    if b"desc" not in found or found[b"desc"].length < 32:
        return Header("CAF", damage="damaged header: there is no description of the sound")
    desc = source.read(found[b"desc"].start, 32)
    codec, flags, packet, _, channels, _ = struct.unpack(">4sIIIII", desc[8:32])
    remarks: tuple[Remark, ...] = (NO_LENGTH,) if streamed else ()
    if after:
        remarks += (Remark("extra", f"{source.size - data.stop} bytes follow the sound; they are not read"),)
    valid = None
    if b"pakt" in found and found[b"pakt"].length >= 24:
        valid = struct.unpack(">qqii", source.read(found[b"pakt"].start, 24))[1] or None
    start, length = data.start + 4, data.length - 4
    if codec == b"ima4" and 0 < channels < 1 << 15:
        block = _IMA4_BYTES * channels
        rate = int(struct.unpack(">d", desc[:8])[0])
        if not 0 < rate < 1 << 31:
            return Header("CAF", damage=f"damaged header ({rate} Hz)")
        common = struct.pack(">hIh", channels, 0, 16) + _extended(rate) + b"ima4\0\0"
        held = length // block * _IMA4_SAMPLES
        if valid and valid > held:
            return Header("CAF", damage=promised("samples per channel", valid, held))
        return Header("CAF", frames=valid, remarks=remarks, parts=as_aiff(common, (start, start + length), "AIFC", block))
    if codec not in (b"lpcm", b"ulaw", b"alaw", b"alac"):
        known = _CODECS.get(codec, f"codec {codec.decode('latin-1')!r}")
        return Header("CAF", codec=f"{known} in CAF", remarks=remarks)
    if codec == b"alac":
        if b"pakt" not in found or b"kuki" not in found:
            return Header("CAF", damage="truncated: the table of its packets is missing")
        cookie = source.read(found[b"kuki"].start, min(found[b"kuki"].length, 4096))
        at = cookie.find(b"alac\0\0\0\0")  # older files wrap the cookie in two atoms
        cookie = cookie[at + 8 :][:24] if at >= 0 else cookie[:24]
        bits = {16: 1, 20: 2, 24: 3, 32: 4}.get(cookie[5] if len(cookie) > 5 else 0, flags)
        if flags != bits or at >= 0:
            table = found[b"pakt"]
            parts = (
                _head(desc[:12] + bits.to_bytes(4, "big") + desc[16:], b"kuki", cookie),
                *_chunk(table, b"pakt"),
                *_chunk(data, b"data"),
            )
            return Header("CAF", frames=valid, remarks=remarks, parts=parts)
        return Header("CAF", frames=valid, remarks=remarks)
    if remarks:
        length -= length % max(1, packet)
        body: tuple[Part, ...] = (b"data" + struct.pack(">qI", length + 4, 0), (start, start + length))
        return Header("CAF", remarks=remarks, parts=(_head(desc), *body))
    return Header("CAF")


def _head(desc: bytes, name: bytes = b"", content: bytes = b"") -> bytes:
    """The start of a CAF file: its description and one other chunk."""
    more = name + struct.pack(">q", len(content)) + content if name else b""
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + more


def _chunk(chunk: Chunk, name: bytes) -> tuple[Part, ...]:
    return name + struct.pack(">q", chunk.length), (chunk.start, chunk.stop)


def _extended(rate: int) -> bytes:
    """An integer as the 80-bit float of AIFF."""
    bits = max(1, rate).bit_length()
    return struct.pack(">HQ", 16383 + bits - 1, max(1, rate) << (64 - bits))
