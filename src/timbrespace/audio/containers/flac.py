"""FLAC: STREAMINFO has the number of samples; every frame has its position, so the last one gives the number present."""

from __future__ import annotations

from dataclasses import dataclass

from timbrespace.audio.containers.base import NO_LENGTH, Header, Remark, Source, promised

_CUT = Remark("cut", "the header has no length and the last frame is cut: the end may be missing")
_BLOCK = 1 << 20  # bytes that are searched at once
_NEXT = b"fLaC\x00\x00\x00\x22"  # the start of another FLAC file


@dataclass(frozen=True)
class StreamInfo:
    """The first metadata block: block size (samples, 0 if it varies), channels, bits, total samples, and its 34 raw bytes."""

    block: int
    channels: int
    bits: int
    total: int
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> StreamInfo:
        """Reads the 34 bytes of the block."""
        packed = int.from_bytes(raw[10:18], "big")
        low, high = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:4], "big")
        channels, bits = (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
        return cls(low if low == high else 0, channels, bits, packed & (1 << 36) - 1, raw)

    def with_total(self, total: int) -> bytes:
        """The raw bytes with another number of samples."""
        packed = int.from_bytes(self.raw[10:18], "big") >> 36 << 36 | total
        return self.raw[:10] + packed.to_bytes(8, "big") + self.raw[18:]

    @property
    def largest_frame(self) -> int:
        """Upper limit of the bytes of a frame."""
        return (self.block or 65_536) * self.channels * (self.bits + 7) // 8 + 4096


def inspect_flac(source: Source, start: int) -> Header:
    """The header of a FLAC file whose `fLaC` is at `start`. Raises OSError."""
    raw = source.read(start + 8, 34)
    if len(raw) < 34:
        return Header("FLAC", damage="truncated: there is no sound data in it")
    info = StreamInfo.parse(raw)
    position, last = start + 4, False
    while not last:
        head = source.read(position, 4)
        if len(head) < 4:
            return Header("FLAC", damage="truncated: there is no sound data in it")
        last, position = bool(head[0] & 128), position + 4 + int.from_bytes(head[1:], "big")
    stop, remarks = source.size, []
    second = source.find(_NEXT, position)
    if second >= 0:
        stop = second
        remarks.append(Remark("extra", "another sound file follows in the same file; it is not read"))
    elif source.size - position > 128 and source.read(source.size - 128, 3) == b"TAG":
        stop -= 128
    begin = max(position, stop - 3 * info.largest_frame)
    tail = source.read(begin, stop - begin)
    if info.total:
        ends = {frame.stop for frame in _frames(tail, info)}
        if info.total not in ends and begin > position:  # something else is behind the sound, or the end is missing
            ends = _all_ends(source, position, stop, info)
            if info.total in ends and second < 0 and any(tail[-65_536:]):
                remarks.append(Remark("extra", "other data follow the last frame; they are not read"))
        if info.total not in ends:
            there = max((end for end in ends if end < info.total), default=0)
            return Header("FLAC", damage=promised("samples per channel", info.total, there))
        return Header("FLAC", remarks=tuple(remarks), parts=((0, stop),) if second >= 0 else None)
    total, length = _count(tail, info)
    if not total:
        return Header("FLAC", damage="truncated: there is no whole frame of sound in it")
    remarks.insert(0, NO_LENGTH if length == len(tail) else _CUT)
    return Header("FLAC", frames=total, remarks=tuple(remarks), parts=(stream_head(info, total), (position, begin + length)))


def stream_head(info: StreamInfo, total: int) -> bytes:
    """The start of a FLAC file: only `fLaC` and STREAMINFO, with `total` samples."""
    return b"fLaC\x80\x00\x00\x22" + info.with_total(total)


def is_frame(head: bytes, raw: bytes) -> bool:
    """Whether 16 bytes begin a frame of a stream whose STREAMINFO is `raw`."""
    return head[:2] in (b"\xff\xf8", b"\xff\xf9") and len(raw) == 34 and _parse_frame(head, StreamInfo.parse(raw)) is not None


@dataclass(frozen=True)
class _Frame:
    """A frame: its position in the bytes that were searched, its first sample and the sample after its last."""

    at: int
    start: int
    stop: int


def _frames(tail: bytes, info: StreamInfo) -> list[_Frame]:
    """Candidate frame headers in `tail`, in order; about one in a thousand is accidental."""
    found, at = [], tail.find(b"\xff")
    while at >= 0:
        if tail[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            parsed = _parse_frame(tail[at : at + 16], info)
            if parsed is not None:
                found.append(_Frame(at, parsed[0], sum(parsed)))
        at = tail.find(b"\xff", at + 1)
    return found


def _all_ends(source: Source, position: int, stop: int, info: StreamInfo) -> set[int]:
    """The samples after the last of every frame between two positions."""
    ends: set[int] = set()
    while position < stop:
        ends.update(frame.stop for frame in _frames(source.read(position, min(_BLOCK + 16, stop - position)), info))
        position += _BLOCK
    return ends


def _count(tail: bytes, info: StreamInfo) -> tuple[int, int]:
    """Samples per channel up to the last complete frame in `tail`, the end of the stream, and the end of that frame."""
    later: list[tuple[int, int | None]] = [(len(tail), None)]
    for frame in reversed(_frames(tail, info)):
        for at, start in later:
            if start in (None, frame.stop) and _crc16(tail[frame.at : at]) == 0:
                return frame.stop, at
        later = [*later[-7:], (frame.at, frame.start)]
    return 0, 0


def _parse_frame(head: bytes, info: StreamInfo) -> tuple[int, int] | None:
    """(first sample, samples) of a frame header; None if the checksum of the bytes is wrong."""
    if len(head) < 6:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if not size_code or rate_code == 15 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    at, lead = 5, head[4]
    extra = 0 if lead < 0x80 else next((n for n in range(1, 7) if not lead << (n + 1) & 0x80), 6)
    if 0x80 <= lead < 0xC0 or len(head) < at + extra:
        return None
    number = lead if not extra else lead & (0x3F >> extra)
    for _ in range(extra):
        if head[at] & 0xC0 != 0x80:
            return None
        number, at = number << 6 | head[at] & 0x3F, at + 1
    if size_code in (6, 7):
        count, at = int.from_bytes(head[at : at + size_code - 5], "big") + 1, at + size_code - 5
    else:
        count = 192 if size_code == 1 else 576 << (size_code - 2) if size_code < 6 else 256 << (size_code - 8)
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * (info.block or count)), count


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def _table16() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005) & 0xFFFF if crc & 0x8000 else crc << 1
        table.append(crc)
    return table


_CRC16 = _table16()


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
    return crc
