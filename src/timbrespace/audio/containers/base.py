"""The result of the inspection of a sound file, and a reader for headers and chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

Part = bytes | tuple[int, int]
"""A part of a file for the decoder: bytes that replace those of the file, or (start, stop) in the file."""

_BLOCK = 1 << 20  # bytes read at once
_COMMON_CHUNKS = frozenset(
    (
        *(b"fmt ", b"data", b"fact", b"LIST", b"cue ", b"smpl", b"inst", b"bext", b"iXML", b"acid", b"JUNK", b"PEAK", b"id3 ", b"ID3 "),
        *(b"COMM", b"SSND", b"MARK", b"INST", b"NAME", b"AUTH", b"ANNO", b"(c) ", b"FVER", b"APPL", b"COMT", b"CHAN"),
        *(b"VHDR", b"BODY", b"CHRS"),
    )
)


@dataclass(frozen=True)
class Remark:
    """An oddity of a file that is nevertheless read.

    kind: 'streamed' (the header has no length), 'extra' (the file contains more than its header says), 'cut' (the end may be missing) or
    'inverted' (channels cancel in mono).
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Header:
    """The result of an inspection.

    format: name of the container. damage: why the file is refused; None if it is complete. codec: name of a codec that libsndfile does
    not decode. advice: what to do about such a file. frames: samples per channel, where the inspection counted them. remarks: see
    `Remark`. parts: what libsndfile reads instead of the file; None: the file itself.
    """

    format: str = ""
    damage: str | None = None
    codec: str | None = None
    advice: str | None = None
    frames: int | None = None
    remarks: tuple[Remark, ...] = ()
    parts: tuple[Part, ...] | None = None


class Source:
    """A file of `size` bytes for random access; small neighbouring reads need one access to the file.

    offset: the bytes before position 0, which are not part of the file's container.
    """

    def __init__(self, file: BinaryIO, size: int, suffix: str = "", *, offset: int = 0) -> None:
        self.offset = offset
        self.size = size - offset
        self.suffix = suffix
        self._file = file
        self._start = 0
        file.seek(offset)
        self._block = file.read(4096)
        self.head = self._block

    def behind(self, start: int) -> Source:
        """The file as it would be if it began at `start`."""
        return Source(self._file, self.offset + self.size, self.suffix, offset=self.offset + start)

    def read(self, start: int, count: int) -> bytes:
        """At most `count` bytes from `start`; fewer at the end of the file."""
        at = start - self._start
        if at >= 0 and at + count <= len(self._block):
            return self._block[at : at + count]
        if start + count <= len(self.head):
            return self.head[start : start + count]
        self._file.seek(start + self.offset)
        if count >= _BLOCK:
            return self._file.read(count)
        near = 0 <= start - self._start <= 2 * max(len(self._block), 65_536)  # a walk through the file
        self._start, self._block = start, self._file.read(max(count, _BLOCK if near else 4096))
        return self._block[:count]

    def find(self, pattern: bytes, start: int) -> int:
        """Position of the first `pattern` at or after `start`, or -1."""
        while start < self.size:
            block = self.read(start, _BLOCK)
            at = block.find(pattern)
            if at >= 0:
                return start + at
            if start + len(block) >= self.size or len(block) < len(pattern):
                return -1
            start += len(block) - len(pattern) + 1
        return -1


@dataclass(frozen=True)
class Chunk:
    """A chunk of a container: `length` bytes from `start`, according to its header.

    unpadded: whether a chunk before it has an odd length and no padding byte, which libsndfile does not expect.
    """

    name: bytes
    start: int
    length: int
    unpadded: bool = False

    @property
    def stop(self) -> int:
        """Its end, according to its header."""
        return self.start + self.length


def chunks(source: Source, position: int, order: str) -> Iterator[Chunk]:
    """Yields the chunks of a RIFF (order 'little') or IFF ('big') file from `position`, each padded to an even length."""
    unpadded = False
    while position + 8 <= source.size:
        head = source.read(position, 8)
        if head == bytes(8):  # reserved space that was never written
            return
        chunk = Chunk(head[:4], position + 8, int.from_bytes(head[4:], "little" if order == "little" else "big"), unpadded)
        yield chunk
        position = _after(source, chunk)
        unpadded = unpadded or (chunk.length & 1 == 1 and position == chunk.stop)


def _after(source: Source, chunk: Chunk) -> int:
    """The position of the next chunk: after a padding byte if the length is odd, which some programs do not write."""
    if not chunk.length & 1:
        return chunk.stop
    near = source.read(chunk.stop, 5)
    return chunk.stop if near[:4] in _COMMON_CHUNKS and near[1:] not in _COMMON_CHUNKS else chunk.stop + 1


def follows(source: Source, position: int, order: str) -> str | None:
    """A description of the data after the sound at `position`; None for no data, zeros, or chunks of the file."""
    while position < source.size:
        rest = source.size - position
        head = source.read(position, 8)
        if not any(source.read(position, min(rest, 65_536))):
            return None
        if head[:4] in (b"RIFF", b"RF64", b"RIFX", b"FORM", b"BW64"):
            return "another sound file follows in the same file; it is not read"
        if rest < 8:
            return None
        if not all(32 <= letter < 127 for letter in head[:4]):
            return f"{rest} bytes follow the sound; they are not read"
        if head[:4] in (b"data", b"SSND", b"BODY"):
            return "a second block of sound follows; it is not read"
        position = _after(source, Chunk(head[:4], position + 8, int.from_bytes(head[4:8], "little" if order == "little" else "big")))
    return None


def promised(unit: str, announced: int, present: int) -> str:
    """The message for a file with less content than its header says."""
    return f"truncated: the header says {announced} {unit}, the file has {present}"


TWO_LENGTHS = Remark("streamed", "the header gives two lengths; by one of them the file is whole, and it is read to its end")
NO_LENGTH = Remark("streamed", "the header has no length, as in a stream or an interrupted recording; it is read to its end")
