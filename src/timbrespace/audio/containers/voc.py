"""VOC, the format of Creative's sound cards: a chain of blocks; several of them may hold sound or silence."""

from __future__ import annotations

from dataclasses import dataclass, field

from timbrespace.audio.containers.base import Header, Part, Remark, Source, promised
from timbrespace.audio.containers.riff import wav_of_pcm

_SOUND, _MORE, _SILENCE, _REPEAT, _EXTENDED, _NEW = 1, 2, 3, 6, 8, 9  # types of blocks
_CODECS = {0: (1, 8), 4: (1, 16), 6: (6, 8), 7: (7, 8)}  # codec of a block -> (format tag of WAV, bits)
_SOX_MISSING = 8  # bytes by which SoX writes the size of a block too small


@dataclass
class _Chain:
    """The sound of a chain of blocks: tag and bits of WAV, channels, rate in Hz, and the parts of the file in order."""

    tag: int = 0
    bits: int = 0
    channels: int = 1
    rate: int = 0
    parts: list[Part] = field(default_factory=list)
    stop: int = 0


def inspect_voc(source: Source) -> Header:
    """The header of a VOC file. Raises OSError."""
    position = int.from_bytes(source.head[20:22], "little")
    while position + 4 <= source.size:
        head = source.read(position, 4)
        length, present = int.from_bytes(head[1:], "little"), source.size - position - 4
        if head[0] in (_SOUND, _NEW):
            if length > present:
                return Header("VOC", damage=promised("bytes of sound", length, present))
            for more in (0, _SOX_MISSING):
                chain = _follow(source, more)
                if chain is not None:
                    rest = source.size - chain.stop
                    remark = Remark("extra", f"{rest} bytes follow the sound; they are not read")
                    remarks = (remark,) if rest > 0 and any(source.read(chain.stop, 65_536)) else ()
                    return Header("VOC", remarks=remarks, parts=wav_of_pcm(chain.tag, chain.channels, chain.rate, chain.bits, chain.parts))
            return Header("VOC")
        position += 4 + length
    return Header("VOC", damage="truncated: there is no sound data in it")


def _follow(source: Source, more: int) -> _Chain | None:
    """The blocks up to the terminator; None if the chain breaks, repeats, or changes its format. more: bytes to add to the first size."""
    chain, position, extended = _Chain(), int.from_bytes(source.head[20:22], "little"), (0, 0)
    while position < source.size:
        head = source.read(position, 4)
        if head[0] == 0:  # the terminator has no size
            chain.stop = position + 1
            return chain if chain.parts else None
        start, length = position + 4, int.from_bytes(head[1:], "little")
        if head[0] in (_SOUND, _NEW) and not chain.parts:
            length += more
        if len(head) < 4 or start + length > source.size or head[0] > _NEW or head[0] in (_REPEAT, _REPEAT + 1):
            return None
        position = start + length
        if head[0] == _EXTENDED and length >= 4:
            data = source.read(start, 4)
            channels = 1 + (data[3] & 1)
            extended = 256_000_000 // (channels * (65_536 - int.from_bytes(data[:2], "little"))), channels
        elif head[0] in (_SOUND, _NEW):
            begin = _format(chain, source.read(start, 12), head[0], extended)
            if begin is None or begin > length:
                return None
            extended = (0, 0)
            chain.parts.append((start + begin, position))
        elif head[0] == _MORE and chain.parts:
            chain.parts.append((start, position))
        elif head[0] == _SILENCE and length >= 2 and chain.parts:
            zero = {1: b"\x80" if chain.bits == 8 else b"\0", 6: b"\xd5", 7: b"\xff"}[chain.tag]
            chain.parts.append(zero * ((int.from_bytes(source.read(start, 2), "little") + 1) * chain.channels * chain.bits // 8))
    chain.stop = source.size
    return chain if chain.parts else None


def _format(chain: _Chain, data: bytes, kind: int, extended: tuple[int, int]) -> int | None:
    """Sets the format of the chain from the start of a block and returns the bytes before its sound; None if it is another format."""
    if kind == _NEW:
        rate, bits, channels, codec = int.from_bytes(data[:4], "little"), data[4], data[5], int.from_bytes(data[6:8], "little")
        begin = 12
    else:
        rate, channels = extended if extended[0] else (1_000_000 // (256 - data[0]), 1)
        bits, codec, begin = 8, data[1], 2
    tag, known = _CODECS.get(codec, (0, 0))
    form = tag, known, channels, rate
    if not tag or (kind == _NEW and bits != known) or not 0 < channels < 256 or not rate:
        return None
    if chain.parts and form != (chain.tag, chain.bits, chain.channels, chain.rate):
        return None
    chain.tag, chain.bits, chain.channels, chain.rate = form
    return begin
