"""WAV in its variants: RIFF, RIFX, RF64 and BW64 (64-bit sizes in a `ds64` chunk), and Sony's Wave64."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from timbrespace.audio.containers.base import NO_LENGTH, TWO_LENGTHS, Chunk, Header, Part, Remark, Source, chunks, follows, promised

_BY_LIBSNDFILE = {1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40}  # format tags: PCM, ADPCM, float, A-law, µ-law, GSM …
_MPEG = {0x50, 0x55}
_PLAIN_PCM = {1, 3, 6, 7}
_GSM = 0x31
_BLOCKS = {2, 0x11, _GSM}  # MS and IMA ADPCM, GSM: their samples come in blocks
_CODECS = {
    0x10: "OKI ADPCM", 0x17: "Dialogic ADPCM", 0x22: "TrueSpeech", 0x42: "G.723.1", 0x45: "G.726", 0x64: "G.726", 0x65: "G.722",
    0x83: "G.729", 0xFF: "AAC", 0x1600: "AAC", 0x1602: "AAC", 0x1610: "AAC", 0x706D: "AAC", 0xA106: "AAC", 0x160: "WMA", 0x161: "WMA",
    0x162: "WMA Pro", 0x163: "WMA Lossless", 0x270: "ATRAC3", 0x200: "Creative ADPCM", 0x2000: "AC-3", 0x92: "AC-3 (S/PDIF)",
    0x2001: "DTS", 0x566F: "Vorbis", 0x674F: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis", 0x676F: "Vorbis", 0x6770: "Vorbis",
    0x6771: "Vorbis", 0xA109: "Speex", 0xF1AC: "FLAC", 0x704F: "Opus", 0x69: "Xbox ADPCM",
}  # fmt: skip
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names of chunks in Wave64
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_EXPORT = "export it again from its source"
_CONTENTS = {b"sfbk": "a SoundFont", b"AVI ": "a video", b"RMID": "a MIDI file", b"WEBP": "a picture", b"DLS ": "a DLS instrument"}


@dataclass(frozen=True)
class _Format:
    """The `fmt ` chunk: codec number, channels, rate in Hz, bytes per block of all channels, bits per sample, and its raw bytes.

    repaired: whether `raw` differs from that in the file.
    """

    tag: int
    channels: int
    rate: int
    block: int
    bits: int
    raw: bytes
    repaired: bool = False


def inspect_riff(source: Source) -> Header:
    """The header of a RIFF, RIFX, RF64 or BW64 file. Raises OSError."""
    magic, kind = source.head[:4], source.head[8:12]
    name = {b"RF64": "RF64", b"BW64": "RF64"}.get(magic, "WAV")
    if kind != b"WAVE":
        what = _CONTENTS.get(kind, f"a RIFF file of the kind {kind.decode('latin-1')!r}")
        return Header("RIFF", damage=f"is {what}, not a sound file", advice="take it out of the folder")
    order: Literal["big", "little"] = "big" if magic == b"RIFX" else "little"
    fmt: _Format | None = None
    data: Chunk | None = None
    samples = long_size = 0
    for chunk in chunks(source, 12, order):
        if chunk.name == b"ds64":
            long_size = int.from_bytes(source.read(chunk.start + 8, 8), "little")
        elif chunk.name == b"fmt ":
            fmt = _parse_format(source.read(chunk.start, min(chunk.length, 4096)), order)
            if data is not None:
                return _judge(source, name, fmt, data, order, changed=True)
        elif chunk.name == b"fact" and chunk.length >= 4:
            samples = int.from_bytes(source.read(chunk.start, 4), order)
        elif chunk.name == b"data" and data is None:
            if magic in (b"RF64", b"BW64") and chunk.length == 0xFFFFFFFF:
                chunk = replace(chunk, length=long_size)
            data = chunk
            if fmt is not None:
                return _judge(source, name, fmt, chunk, order, changed=magic == b"BW64" or chunk.unpadded, samples=samples)
    if data is not None:
        return Header(name, damage="damaged header: the chunk that describes the sound (fmt) is missing", advice=_EXPORT)
    return Header(name, damage="truncated: there is no sound data in it")


def inspect_w64(source: Source) -> Header:
    """The header of a Wave64 file. Raises OSError."""
    position, fmt = 40, None
    while position + 24 <= source.size:
        head = source.read(position, 24)
        length = int.from_bytes(head[16:], "little", signed=True) - 24
        if head[4:16] == _W64_TAIL and head[:4] == b"fmt ":
            fmt = _parse_format(source.read(position + 24, max(0, min(length, 4096))), "little")
        if head[:4] == b"data":  # as WAV, because libsndfile reads floats of the extensible format as integers, and padding as sound
            return _judge(source, "W64", fmt, Chunk(b"data", position + 24, max(0, length)), "little", changed=True)
        if length < 0 or not any(head):
            break
        position += (length + 24 + 7) & ~7
    return Header("W64", damage="truncated: there is no sound data in it")


def is_w64(head: bytes) -> bool:
    """Whether these are the first bytes of a Wave64 file."""
    return head[:16] == _W64_RIFF


def _parse_format(raw: bytes, order: Literal["big", "little"]) -> _Format | None:
    if len(raw) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack(("<" if order == "little" else ">") + "HHIIHH", raw[:16])
    if tag == 0xFFFE and len(raw) >= 26:
        tag = int.from_bytes(raw[24:26], order)
    repaired = False
    width = block // channels if channels and block % channels == 0 else 0
    if tag == 1 and ((16 < bits < 32 and width == 4) or (bits == 0 and 0 < width <= 4)):
        # 20 or 24 bits in 4 bytes: libsndfile takes the size from the bits and would read noise
        bits, repaired = 8 * width, True
        raw = raw[:14] + bits.to_bytes(2, order) + raw[16:]
    return _Format(tag, channels, rate, max(1, block), bits, raw, repaired)


def _frames_of_blocks(fmt: _Format, length: int, samples: int, order: Literal["big", "little"]) -> int | None:
    """Samples per channel in `length` bytes of blocks; None: unknown, as libsndfile says.

    samples: of the `fact` chunk, which counts if it ends in the last block: some programs count all channels there. Without it the
    filling of the last block is read as sound, and of GSM another block of anything.
    """
    of_block = int.from_bytes(fmt.raw[18:20], order)
    held = -(-length // fmt.block) * of_block
    if held - of_block < samples <= held:
        return samples
    return held if fmt.tag == _GSM and held else None


def _undecodable(fmt: _Format) -> str | None:
    """The name of a codec that libsndfile does not decode, or None."""
    if fmt.tag == 1 and fmt.bits > 32:
        return f"{fmt.bits}-bit integers"
    if fmt.tag == 3 and fmt.bits not in (32, 64):
        return f"{fmt.bits}-bit float"
    return None if fmt.tag in _BY_LIBSNDFILE else _CODECS.get(fmt.tag, f"codec 0x{fmt.tag:04x}")


def _unknown(length: int, present: int) -> bool:
    """Whether `length` is a size that programs write before the length is known; all of them exceed the file."""
    return length > present and (0x7FFFF000 <= length <= 0x80000100 or 0xFFFFE000 <= length <= 0xFFFFFFFF or length >= 1 << 50)


def _judge(
    source: Source, name: str, fmt: _Format | None, data: Chunk, order: Literal["big", "little"], *, changed: bool, samples: int = 0
) -> Header:
    """The header after a comparison of the `data` chunk with the file.

    changed: libsndfile needs a replaced header in any case. samples: per channel, according to the `fact` chunk; 0: unknown.
    """
    if fmt is not None and (not fmt.rate or not fmt.channels or fmt.rate >= 1 << 31):
        return Header(name, damage=f"damaged header ({fmt.rate} Hz, {fmt.channels} channels)", advice=_EXPORT)
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
    codec = _undecodable(fmt)
    if codec is not None:
        return replace(header, codec=f"{codec} in WAV")
    if fmt.tag in _BLOCKS:
        header = replace(header, frames=_frames_of_blocks(fmt, length, samples, order))
    if changed or fmt.repaired or (name == "RF64" and fmt.tag not in _PLAIN_PCM):
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


def wav_of_pcm(tag: int, channels: int, rate: int, bits: int, body: Sequence[Part]) -> tuple[Part, ...]:
    """Parts of a WAV file with the sound in `body`. tag: 1 PCM, 6 A-law, 7 µ-law. rate: Hz."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    length = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in body)
    head = b"RIFF" + struct.pack("<I", 36 + length + (length & 1)) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
    return head + b"data" + struct.pack("<I", length), *body, bytes(length & 1)


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
