"""AIFF and AIFF-C: the `COMM` chunk has the number of frames, the `SSND` chunk that of bytes of sound."""

from __future__ import annotations

import struct

from timbrespace.audio.containers.base import NO_LENGTH, TWO_LENGTHS, Chunk, Header, Part, Remark, Source, chunks, follows, promised

_WIDTHS = {b"NONE": 0, b"twos": 0, b"sowt": 0, b"raw ": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8, b"in24": 3, b"in32": 4,
           b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1}  # fmt: skip
_BY_LIBSNDFILE = {*_WIDTHS, b"23ni", b"42n1", b"ima4", b"GSM ", b"\0\0\0\0"}
_CODECS = {b"MAC3": "MACE 3:1", b"MAC6": "MACE 6:1", b"QDMC": "QDesign Music", b"QDM2": "QDesign Music 2", b"Qclp": "Qualcomm PureVoice",
           b".mp3": "MP3", b"sdx2": "SDX2 ADPCM", b"G722": "G.722", b"G726": "G.726", b"agsm": "GSM", b"DWVW": "DWVW"}  # fmt: skip
_SOX_UNKNOWN = 0x7F000000


def inspect_aiff(source: Source) -> Header:
    """The header of an AIFF or AIFF-C file. Raises OSError."""
    name = "AIFF" if source.head[8:12] == b"AIFF" else "AIFC"
    common, sound = None, None
    for chunk in chunks(source, 12, "big"):
        if chunk.name == b"COMM":
            common = source.read(chunk.start, min(chunk.length, 512))
        elif chunk.name == b"SSND":
            sound = chunk
        if common is not None and sound is not None:
            break
    if sound is None:
        return Header(name, damage="truncated: there is no sound data in it")
    if common is None or len(common) < 18:
        if sound.stop > source.size + 1:
            return Header(name, damage=promised("bytes of sound", sound.length, source.size - sound.start))
        return Header(name, damage="damaged header: there is no COMM chunk before the end of the file")
    return _judge(source, name, common, sound)


def _judge(source: Source, name: str, common: bytes, sound: Chunk) -> Header:
    """The header after a comparison of both lengths with the file."""
    channels, frames, bits = struct.unpack(">hIh", common[:8])
    codec = common[18:22] if name == "AIFC" and len(common) >= 22 else b"NONE"
    block = max(1, max(1, channels) * (_WIDTHS.get(codec, 0) or (bits + 7) // 8))
    present = source.size - sound.start
    remarks = []
    after = None if sound.length >= present else follows(source, sound.stop + (sound.length & 1), "big")
    shift = int.from_bytes(source.read(sound.start, 4), "big")
    start = sound.start + 8 + (shift if shift < present else 0)
    if (sound.length > present and sound.length >= _SOX_UNKNOWN) or (sound.length <= 8 and present > 8 and (after or not sound.length)):
        body = start, source.size
        remarks.append(NO_LENGTH)
    elif sound.length > present + 1 and abs(int.from_bytes(source.head[4:8], "big") + 8 - source.size) <= 1:
        body = start, source.size  # the chunk that holds all others is as long as the file
        remarks.append(TWO_LENGTHS)
    elif sound.length > present + 1:
        return Header(name, damage=promised("bytes of sound", sound.length, present))
    else:
        body = start, min(source.size, sound.stop)
        if codec in _WIDTHS:
            held = (body[1] - body[0]) // block
            if 0 < held < frames < 0x7F000000 // block:
                return Header(name, damage=promised("samples per channel", frames, held))
            if 0 < frames < held:
                remarks.append(Remark("extra", f"the header says {frames} samples per channel, the file has {held}, which are read"))
        if after:
            remarks.append(Remark("extra", after))
    if codec not in _BY_LIBSNDFILE:
        known = _CODECS.get(codec, f"codec {codec.decode('latin-1')!r}")
        return Header(name, codec=f"{known} in AIFF-C", remarks=tuple(remarks))
    return Header(name, remarks=tuple(remarks), parts=rebuilt(common, body, name, block) if remarks or sound.unpadded else None)


def rebuilt(common: bytes, body: tuple[int, int], name: str, block: int) -> tuple[Part, ...]:
    """Parts of an AIFF file: a `COMM` chunk with the corrected length, and the sound at `body`. block: bytes of a frame of all channels."""
    length = body[1] - body[0]
    length -= length % block
    frames = length // block
    common = common[:2] + struct.pack(">I", frames) + common[6:]
    head = b"COMM" + struct.pack(">I", len(common)) + common + bytes(len(common) & 1)
    if name == "AIFC":
        head = b"FVER" + struct.pack(">II", 4, 0xA2805140) + head
    head += b"SSND" + struct.pack(">III", length + 8, 0, 0)
    return b"FORM" + struct.pack(">I", 4 + len(head) + length) + name.encode() + head, (body[0], body[0] + length), bytes(length & 1)
