"""WAV in its variants: RIFF, RIFX, RF64 and BW64 (64-bit sizes in a `ds64` chunk), and Sony's Wave64."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from timbrespace.audio.containers.base import NO_LENGTH, TWO_LENGTHS, Chunk, Header, Part, Remark, Source, chunks, follows, promised

_BY_LIBSNDFILE = {1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40}  # format tags: PCM, ADPCM, float, A-law, µ-law, GSM …
_MPEG = {0x50, 0x55}
_PLAIN_PCM = {1, 3, 6, 7}
_CODECS = {
    0x10: "OKI ADPCM", 0x17: "Dialogic ADPCM", 0x22: "TrueSpeech", 0x42: "G.723.1", 0x45: "G.726", 0x64: "G.726", 0x65: "G.722",
    0x83: "G.729", 0xFF: "AAC", 0x1600: "AAC", 0x1602: "AAC", 0x1610: "AAC", 0x706D: "AAC", 0xA106: "AAC", 0x160: "WMA", 0x161: "WMA",
    0x162: "WMA Pro", 0x163: "WMA Lossless", 0x270: "ATRAC3", 0x200: "Creative ADPCM", 0x2000: "AC-3", 0x92: "AC-3 (S/PDIF)",
    0x2001: "DTS", 0x566F: "Vorbis", 0x674F: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis", 0x676F: "Vorbis", 0x6770: "Vorbis",
    0x6771: "Vorbis", 0xA109: "Speex", 0xF1AC: "FLAC", 0x704F: "Opus", 0x69: "Xbox ADPCM",
}  # fmt: skip
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names of chunks in Wave64
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_CONTENTS = {b"sfbk": "a SoundFont", b"AVI ": "a video", b"RMID": "a MIDI file", b"WEBP": "a picture", b"DLS ": "a DLS instrument"}


@dataclass(frozen=True)
class _Format:
    """The `fmt ` chunk: codec number, channels, rate in Hz, bytes per block of all channels, and its raw bytes."""

    tag: int
    channels: int
    rate: int
    block: int
    raw: bytes


def inspect_riff(source: Source) -> Header:
    """The header of a RIFF, RIFX, RF64 or BW64 file. Raises OSError."""
    magic, kind = source.head[:4], source.head[8:12]
    name = {b"RF64": "RF64", b"BW64": "RF64"}.get(magic, "WAV")
    if kind != b"WAVE":
        what = _CONTENTS.get(kind, f"a RIFF file of the kind {kind.decode('latin-1')!r}")
        return Header("RIFF", damage=f"is {what}, not a sound file", advice="take it out of the folder")
    order = "big" if magic == b"RIFX" else "little"
    fmt: _Format | None = None
    long_size = 0
    for chunk in chunks(source, 12, order):
        if chunk.name == b"ds64":
            long_size = int.from_bytes(source.read(chunk.start + 8, 8), "little")
        elif chunk.name == b"fmt ":
            fmt = _parse_format(source.read(chunk.start, min(chunk.length, 4096)), order)
        elif chunk.name == b"data":
            if magic in (b"RF64", b"BW64") and chunk.length == 0xFFFFFFFF:
                chunk = replace(chunk, length=long_size)
            return _judge(source, name, fmt, chunk, order, changed=magic == b"BW64")
    return Header(name, damage="truncated: there is no sound data in it")


def inspect_w64(source: Source) -> Header:
    """The header of a Wave64 file. Raises OSError."""
    position, fmt = 40, None
    while position + 24 <= source.size:
        head = source.read(position, 24)
        length = int.from_bytes(head[16:], "little", signed=True) - 24
        if head[4:16] == _W64_TAIL and head[:4] == b"fmt ":
            fmt = _parse_format(source.read(position + 24, max(0, min(length, 4096))), "little")
        if head[:4] == b"data":
            return _judge(source, "W64", fmt, Chunk(b"data", position + 24, max(0, length)), "little", changed=False)
        if length < 0 or not any(head):
            break
        position += (length + 24 + 7) & ~7
    return Header("W64", damage="truncated: there is no sound data in it")


def is_w64(head: bytes) -> bool:
    """Whether these are the first bytes of a Wave64 file."""
    return head[:16] == _W64_RIFF


def _parse_format(raw: bytes, order: str) -> _Format | None:
    if len(raw) < 16:
        return None
    tag, channels, rate, _, block = struct.unpack(("<" if order == "little" else ">") + "HHIIH", raw[:14])
    if tag == 0xFFFE and len(raw) >= 26:
        tag = int.from_bytes(raw[24:26], "little" if order == "little" else "big")
    return _Format(tag, channels, rate, max(1, block), raw)


def _unknown(length: int, present: int) -> bool:
    """Whether `length` is a size that programs write before the length is known; all of them exceed the file."""
    return length > present and (0x7FFFF000 <= length <= 0x80000100 or 0xFFFFE000 <= length <= 0xFFFFFFFF or length >= 1 << 50)


def _judge(source: Source, name: str, fmt: _Format | None, data: Chunk, order: str, *, changed: bool) -> Header:
    """The header after a comparison of the `data` chunk with the file. changed: libsndfile needs a replaced header in any case."""
    present = source.size - data.start
    length, remarks = data.length, []
    padding = -length % 8 if name == "W64" else length & 1
    look = _follows_w64 if name == "W64" else follows
    after = None if length >= present else look(source, data.start + length + padding, order)
    wrapped = (present - length) >> 32 << 32 if length and (present - length) % (1 << 32) < 1 << 20 else 0  # too long for 32 bits
    if _unknown(length, present) or (length == 0 and present and (after or present < 8)) or wrapped > 0:
        length, changed = length + wrapped if wrapped > 0 else present, True
        if fmt is not None and fmt.tag in _PLAIN_PCM:
            length -= length % fmt.block
        remarks.append(NO_LENGTH)
    elif length > present + 1 and name == "WAV" and _whole_by_riff(source, order):
        length, changed = present - (present % fmt.block if fmt is not None and fmt.tag in _PLAIN_PCM else 0), True
        remarks.append(TWO_LENGTHS)
    elif length > present + 1:  # some writers count a padding byte that they do not write
        return Header(name, damage=promised("bytes of sound", length, present))
    elif after:
        changed = True
        remarks.append(Remark("extra", after))
    header = Header(name, remarks=tuple(remarks))
    body = (data.start, min(source.size, data.start + length))
    if fmt is None:
        return header
    if fmt.tag in _MPEG:
        from timbrespace.audio.containers.mpeg import inspect_mpeg

        inner = inspect_mpeg(source, *body)
        if inner is not None:
            return replace(inner, format=f"{name} MP3", remarks=tuple(dict.fromkeys(header.remarks + inner.remarks)))
    if fmt.tag not in _BY_LIBSNDFILE:
        return replace(header, codec=_CODECS.get(fmt.tag, f"codec 0x{fmt.tag:04x}") + " in WAV")
    if changed:
        header = replace(header, parts=_rebuilt(fmt.raw, body) if order == "little" else _rebuilt_rifx(fmt.raw, body))
    return header


def _whole_by_riff(source: Source, order: str) -> bool:
    """Whether the size in the first chunk, which holds all others, is that of the file."""
    return (
        source.head[:4] != b"RF64" and abs(int.from_bytes(source.head[4:8], "big" if order == "big" else "little") + 8 - source.size) <= 1
    )


def _follows_w64(source: Source, position: int, order: str) -> str | None:
    """`follows` for the chunks of Wave64."""
    while position + 24 <= source.size:
        head = source.read(position, 24)
        if head[:16] == _W64_RIFF:
            return "another sound file follows in the same file; it is not read"
        length = int.from_bytes(head[16:], "little")
        if head[4:16] != _W64_TAIL or length < 24:
            return f"{source.size - position} bytes follow the sound; they are not read" if any(head) else None
        position += (length + 7) & ~7
    return None


def _rebuilt(fmt: bytes, body: tuple[int, int]) -> tuple[Part, ...]:
    """Parts of a WAV file: a `fmt ` chunk and the sound at `body`; RF64 if sizes need more than 32 bits."""
    length = body[1] - body[0]
    chunk = b"fmt " + struct.pack("<I", len(fmt)) + fmt + bytes(len(fmt) & 1)
    whole = 4 + len(chunk) + 8 + length + (length & 1)
    if whole < 0xFFFFFF00:
        return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + chunk + b"data" + struct.pack("<I", length), body, bytes(length & 1)
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, whole + 36, length, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + chunk + b"data\xff\xff\xff\xff", body, bytes(length & 1)


def _rebuilt_rifx(fmt: bytes, body: tuple[int, int]) -> tuple[Part, ...]:
    """The same in the other byte order, which has no variant for sizes of more than 32 bits."""
    length = min(body[1] - body[0], 0xFFFFFF00)
    chunk = b"fmt " + struct.pack(">I", len(fmt)) + fmt + bytes(len(fmt) & 1)
    head = b"RIFX" + struct.pack(">I", 4 + len(chunk) + 8 + length + (length & 1)) + b"WAVE" + chunk
    return head + b"data" + struct.pack(">I", length), (body[0], body[0] + length), bytes(length & 1)
