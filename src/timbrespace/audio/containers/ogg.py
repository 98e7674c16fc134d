"""Ogg: a chain of numbered pages; the last page of a stream is marked and has the number of its last sample."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from timbrespace.audio.containers.base import NO_LENGTH, Header, Part, Remark, Source
from timbrespace.audio.containers.flac import StreamInfo, is_frame, stream_head

_CODECS = ((b"\x01vorbis", "Vorbis"), (b"OpusHead", "Opus"), (b"\x7fFLAC", "FLAC"), (b"Speex   ", "Speex"), (b"\x80theora", "Theora"),
           (b"PCM     ", "PCM"), (b"CELT    ", "CELT"), (b"BBCD", "Dirac"), (b"fishead", ""), (b"fisbone", ""))  # fmt: skip
_SOUND = ("Vorbis", "Opus", "FLAC", "Speex", "PCM", "CELT")
_FIRST, _LAST = 2, 4  # flags of a page


@dataclass
class _Stream:
    """A logical stream: its codec, its first bytes, the position of its sound, and the state of its pages."""

    codec: str
    first: bytes
    payloads: list[tuple[int, int]] = field(default_factory=list)
    number: int = 0
    granule: int = 0
    missing: int = 0
    damaged: int = 0
    ended: bool = False


def inspect_ogg(source: Source) -> Header:
    """The header of an Ogg file. Raises OSError."""
    streams: dict[bytes, _Stream] = {}
    at, stop, chained, cut = 0, source.size, False, False
    started, rest = False, 0
    while at + 27 <= source.size:
        head = source.read(at, 27)
        if head[:4] != b"OggS":
            following = source.find(b"OggS", at)
            if following < 0:
                cut = not all(stream.ended for stream in streams.values())
                rest = 0 if cut or not any(source.read(at, 65_536)) else source.size - at
                break
            at = following
            continue
        table = source.read(at + 27, head[26])
        payload, length = at + 27 + head[26], sum(table)
        if len(table) < head[26] or payload + length > source.size:
            cut = True
            break
        serial, flags = head[14:18], head[5]
        if flags & _FIRST:
            if started:
                chained, stop = True, at
                break
            first = source.read(payload, min(length, 512))
            codec = next((name for magic, name in _CODECS if first.startswith(magic)), "an unknown codec")
            streams[serial] = _Stream(codec, first, number=int.from_bytes(head[18:22], "little"))
        elif serial in streams:
            started = True
            _follow(streams[serial], source, head, (payload, payload + length))
            streams[serial].damaged += _checksum(source.read(at, payload + length - at)) != int.from_bytes(head[22:26], "little")
        at = payload + length
    return _judge(streams, stop, cut=cut, chained=chained, rest=rest)


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _checksum(page: bytes) -> int:
    """The checksum of a page, in which its own four bytes count as zeros: that of zlib on bits in reverse order, begun with 0."""
    data = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    crc = zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED), "big")


def _follow(stream: _Stream, source: Source, head: bytes, payload: tuple[int, int]) -> None:
    number, granule = int.from_bytes(head[18:22], "little"), int.from_bytes(head[6:14], "little", signed=True)
    if stream.granule > 0 and number > stream.number + 1:
        stream.missing += number - stream.number - 1
    stream.number = number
    stream.granule = max(stream.granule, granule)
    stream.ended = stream.ended or bool(head[5] & _LAST)
    if stream.codec == "FLAC" and (stream.payloads or is_frame(source.read(payload[0], 16), stream.first[17:51])):
        stream.payloads.append(payload)


def _judge(streams: dict[bytes, _Stream], stop: int, *, cut: bool, chained: bool, rest: int) -> Header:
    """The header of the first sound. rest: bytes behind the last page."""
    sounds = [stream for stream in streams.values() if stream.codec in _SOUND]
    if not sounds:
        named = [stream.codec for stream in streams.values() if stream.codec]
        if not named:
            return Header("OGG", damage="truncated: the end of the Ogg stream is missing")
        return Header("OGG", codec=f"{named[0]} in Ogg")
    stream = sounds[0]
    if cut and not stream.ended:
        return Header("OGG", damage="truncated: the last Ogg page is cut and the end of the stream is missing")
    if not stream.ended:
        return Header("OGG", damage="truncated: the end of the Ogg stream is missing")
    if stream.damaged:  # the decoder would leave them out, or fill them with anything
        return Header("OGG", damage=f"damaged: the checksum of {stream.damaged} of its Ogg pages is wrong")
    if stream.missing:
        return Header("OGG", damage=f"damaged: {stream.missing} Ogg pages are missing in its middle")
    remarks: tuple[Remark, ...] = ()
    if chained:
        remarks = (Remark("extra", "another sound file follows in the same file; it is not read"),)
    elif rest > 4096:
        remarks = (Remark("extra", f"{rest} bytes follow the sound; they are not read"),)
    if stream.codec == "FLAC":
        return _flac(stream, remarks)
    if stream.codec not in ("Vorbis", "Opus") or len(sounds) < len(streams):
        others = [other.codec for other in streams.values() if other is not stream and other.codec]
        if stream.codec not in ("Vorbis", "Opus") or others:
            return Header("OGG", codec=f"{' and '.join([stream.codec, *others])} in Ogg", remarks=remarks)
    return Header("OGG", remarks=remarks, parts=((0, stop),) if chained else None)


def _flac(stream: _Stream, remarks: tuple[Remark, ...]) -> Header:
    """The parts of a FLAC file that is contained in Ogg: the payloads of the pages."""
    info = StreamInfo.parse(stream.first[17:51])
    if len(info.raw) < 34 or not stream.payloads:
        return Header("OGG FLAC", damage="truncated: there is no sound data in it")
    if not info.total:
        remarks = (NO_LENGTH, *remarks)
    total = info.total or stream.granule
    if stream.granule < total:
        damage = f"truncated: the header says {total} samples per channel, the file has {stream.granule}"
        return Header("OGG FLAC", damage=damage)
    parts: tuple[Part, ...] = (stream_head(info, total), *stream.payloads)
    return Header("OGG FLAC", frames=total, remarks=remarks, parts=parts)
