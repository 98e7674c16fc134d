"""MP3 and its older layers: a chain of frames, each with a header; a Xing, Info or VBRI tag in the first may have their number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from timbrespace.audio.containers.base import NO_LENGTH, Header, Part, Remark, Source, promised

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by version: 1, 2, 2.5
_KBITS = {
    (1, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # by (1 for version 1, else 2; layer bits: 3 is layer I, 1 is layer III)
_KBITS[2, 1] = _KBITS[2, 2]
_SEARCHED = 1 << 18  # bytes in which the first frame is searched
_REMAINS = 4096  # bytes at the end that are too few for a sound
_LEAST = 0.2  # share of the bytes that must be in frames; fewer are accidental
ID3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
"""An empty tag. In front of the frames it keeps libsndfile from looking first for a resource fork beside the file (`._x.mp3`)."""
_CUT = Remark("cut", "the header has no length and the last frame is cut: the end may be missing")


@dataclass(frozen=True)
class _Frame:
    """A frame header. size: bytes, 0 for a free bit rate, which only the next frame shows. same: what all frames of a stream share."""

    version: int
    layer: int
    rate: int
    size: int
    samples: int
    mono: bool
    same: tuple[int, int]


@lru_cache(maxsize=4096)
def _parse(head: bytes) -> _Frame | None:
    """The frame header in 4 bytes, or None."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate_code, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or bits == 15 or rate_code == 3 or head[3] & 3 == 2:
        return None
    rate = _RATES[version][rate_code]
    samples = 384 if layer == 3 else 576 if layer == 1 and version != 3 else 1152
    kbit = _KBITS[1 if version == 3 else 2, layer][bits - 1] if bits else 0
    unit = 4 if layer == 3 else 1
    size = (samples // 8 * kbit * 1000 // rate // unit + padding) * unit if kbit else 0
    return _Frame(version, layer, rate, size, samples, head[3] >> 6 == 3, (head[1] & 0xFE, head[2] & 0x0C))


@dataclass
class _Walk:
    """The result of a walk over all frames: number of audio frames, their ranges in the file, and oddities (skipped, rest: bytes)."""

    frames: int
    ranges: list[tuple[int, int]]
    skipped: int
    cut: bool
    second: bool
    rest: int = 0


def inspect_mpeg(source: Source, start: int = 0, stop: int | None = None) -> Header | None:
    """The header of an MPEG audio stream between `start` and `stop`, or None. Raises OSError."""
    stop = source.size if stop is None else stop
    tagged = after_tags(source, start)
    if tagged >= stop:  # a tag with a wrong size
        tagged = start
    at = _first_frame(source, tagged, min(stop, tagged + _SEARCHED))
    if at is None:
        return None
    first = _parse(source.read(at, 4))
    assert first is not None
    name = {1: "MP3", 2: "MP2", 3: "MP1"}[first.layer]
    free = _free_size(source, at, stop) if not first.size else 0
    announced, tag = _announced(source, at, first) if first.size else (None, b"")
    begin = at + first.size if tag else at
    walk = _walk(source, begin, stop, first, free, limit=announced)
    if at > tagged and sum(end - begun for begun, end in walk.ranges) < _LEAST * (stop - at):
        return None
    if announced:
        if walk.skipped and walk.frames < announced:
            there = f"it has {walk.frames} of {announced} frames"
            return Header(name, damage=f"damaged: {walk.skipped} bytes in its middle are not sound, {there}")
        if walk.frames < announced - 1:  # some programs count the frame of the tag
            return Header(name, damage=promised("frames", announced, walk.frames))
        whole = not walk.second and not walk.skipped
        remarks: tuple[Remark, ...] = ()
        if walk.second:
            remarks = (Remark("extra", "more sound follows the announced length; it is not read"),)
        remarks += _remarks_on_rest(walk)
        if tag == b"VBRI":  # libsndfile does not know it and would estimate
            return Header(name, remarks=remarks, parts=(ID3, _info_frame(source.read(at, 4), walk.frames), *walk.ranges))
        if whole and start == 0:
            begun = at if tagged == start else start
            return Header(name, remarks=remarks, parts=None if tagged > start else (ID3, (begun, source.size)))
        return Header(name, remarks=remarks, parts=(ID3, (at, begin), *walk.ranges))
    if not walk.frames:
        return Header(name, damage="truncated: there is no whole frame of sound in it")
    remarks = (_CUT if walk.cut else NO_LENGTH,)
    if walk.skipped:
        remarks += (Remark("cut", f"{walk.skipped} bytes between its frames are not sound; they are skipped"),)
    if walk.second:
        remarks += (Remark("extra", "a second file is appended; both are read as one sound"),)
    remarks += _remarks_on_rest(walk)
    parts: tuple[Part, ...] = (ID3, *walk.ranges)
    if first.layer == 1:
        parts = (ID3, _info_frame(source.read(at, 4), walk.frames), *walk.ranges)
    return Header(name, frames=walk.frames * first.samples, remarks=remarks, parts=parts)


def after_tags(source: Source, position: int) -> int:
    """Start of the stream after ID3v2 tags."""
    head = source.read(position, 10)
    while len(head) == 10 and head[:3] == b"ID3" and not any(byte & 128 for byte in head[6:]):
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        position += 10 + size + (10 if head[5] & 16 else 0)
        head = source.read(position, 10)
    return position


def _first_frame(source: Source, start: int, stop: int) -> int | None:
    """Position of the first frame that is followed by another one or the end of the file."""
    at = start
    while at < stop:
        at = source.find(b"\xff", at)
        if at < 0 or at >= stop:
            return None
        frame = _parse(source.read(at, 4))
        if frame is not None:
            size = frame.size or _free_size(source, at, source.size)
            after = _parse(source.read(at + size, 4)) if size else None
            if after is not None and after.same == frame.same:
                return at
            if size and at == start and (at + size == source.size or source.read(at + size, 3) == b"TAG"):
                return at
        at += 1
    return None


def _free_size(source: Source, at: int, stop: int) -> int:
    """Bytes of a frame, without padding, of a stream of free bit rate; 0 if there is no second frame."""
    head = source.read(at, 4)
    position = at + 24
    while position < min(stop, at + 16_384):
        position = source.find(head[:2], position)
        if position < 0:
            return 0
        other = source.read(position, 4)
        if _parse(other) is not None and (other[2] ^ head[2]) & 0xFC == 0:
            return position - at - (head[2] >> 1 & 1)
        position += 1
    return 0


def _announced(source: Source, at: int, first: _Frame) -> tuple[int | None, bytes]:
    """The number of frames in a Xing, Info or VBRI tag (None: not given), and the name of the tag (empty: there is none)."""
    data = source.read(at, 200)
    side = (17 if first.mono else 32) if first.version == 3 else (9 if first.mono else 17)
    tag = data[4 + side :]
    if tag[:4] in (b"Xing", b"Info"):
        return (int.from_bytes(tag[8:12], "big") or None if tag[7] & 1 else None), tag[:4]
    if data[36:40] == b"VBRI":
        return int.from_bytes(data[50:54], "big") or None, b"VBRI"
    return None, b""


def _walk(source: Source, at: int, stop: int, first: _Frame, free: int, *, limit: int | None) -> _Walk:
    """A walk from frame to frame; bytes between frames are skipped, tags at the end are not counted."""
    walk = _Walk(0, [], 0, cut=False, second=False)
    begin, read = at, source.read
    while at < stop:
        head = read(at, 4)
        frame = _parse(head)
        if frame is not None and frame.same == first.same and (frame.size or free):
            size = frame.size or free + (head[2] >> 1 & 1)
            if limit is not None and walk.frames == limit:
                walk.second = True
                break
            if at + size > stop:
                walk.cut = True
                break
            walk.frames += 1
            at += size
            continue
        if at > begin:
            walk.ranges.append((begin, at))
        if head[:3] == b"TAG" and stop - at <= 128 + 32:
            begin = at
            break
        tag = after_tags(source, at)
        following = _next(source, tag, stop, first)
        if following is None:
            begin = at
            walk.rest = _rest(source, at, stop)
            break
        if tag > at:
            walk.second = True
        walk.skipped += following - tag
        begin = at = following
    if at > begin:
        walk.ranges.append((begin, at))
    return walk


def _rest(source: Source, at: int, stop: int) -> int:
    """Bytes behind the last frame that are neither tags nor zeros nor the remains of a frame."""
    beginning = source.read(at, 11)
    if beginning.startswith((b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")) or not any(source.read(at, 65_536)):
        return 0
    return stop - at if stop - at > _REMAINS else 0


def _remarks_on_rest(walk: _Walk) -> tuple[Remark, ...]:
    return (Remark("extra", f"{walk.rest} bytes follow its last frame; they are not read"),) if walk.rest else ()


def _next(source: Source, at: int, stop: int, first: _Frame) -> int | None:
    """Position of the next two frames in a row, or of the last frame of the file."""
    while 0 <= at < stop:
        at = source.find(b"\xff", at)
        if at < 0 or at >= stop:
            return None
        frame = _parse(source.read(at, 4))
        if frame is not None and frame.same == first.same and frame.size:
            after = _parse(source.read(at + frame.size, 4))
            if at + frame.size == stop or (after is not None and after.same == first.same):
                return at
        at += 1
    return None


def _info_frame(head: bytes, frames: int) -> bytes:
    """A silent frame of layer III with a tag of `frames` frames, to precede frames with the header `head`."""
    for bits in range(1, 15):
        candidate = bytes([head[0], head[1] | 1, bits << 4 | head[2] & 0x0C, head[3]])  # no checksum, no padding
        frame = _parse(candidate)
        assert frame is not None
        if frame.size >= 4 + 32 + 12:
            side = (17 if frame.mono else 32) if frame.version == 3 else (9 if frame.mono else 17)
            data = candidate + bytes(side) + b"Info" + (1).to_bytes(4, "big") + frames.to_bytes(4, "big")
            return data + bytes(frame.size - len(data))
    raise AssertionError("every version and layer has a bit rate with frames that large")
