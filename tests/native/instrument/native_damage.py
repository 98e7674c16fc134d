"""Instrument files damaged in many ways, each by a seed: for tests that no file can harm the native core."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "3",
    "1e308",
    "-1e-300",
    "9223372036854775807",
    "18446744073709551616",
    "4294967296",
    "0.5",
    "65536",
    "16384",
)
WORDS = ("null", "true", '""', '"oneshot"', '"bands"', '"I8"', '"F16"', '"F32"', '"F64"', '"U8"', "[]", "{}", '["kick"]', '"\\u0000"')
BITS = (b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\x00\x00\x00", b"\x00\x00\x80\xff", b"\xff\x7f\xff\x7f")


def damaged(data: bytes, seed: int) -> bytes:
    """The file with one kind of damage, chosen by the seed, at one to a few places."""
    draw = random.Random(seed)
    return draw.choice(KINDS)(data, draw)


def parts(data: bytes) -> tuple[bytes, bytes]:
    """Header and tensors."""
    size = int.from_bytes(data[:8], "little")
    return data[8 : 8 + size], data[8 + size :]


def joined(header: bytes, tensors: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + tensors


def _flipped(data: bytes, draw: random.Random) -> bytes:
    """Some bytes changed: anywhere, or in the header, where a byte matters more."""
    found = bytearray(data)
    end = len(data) if draw.random() < 0.3 else 8 + len(parts(data)[0])
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        found[draw.randrange(end)] = draw.randrange(256)
    return bytes(found)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.choice((0, 4, 8, 9, len(data) - 1, draw.randrange(len(data)), draw.randrange(2_000)))]


def _longer(data: bytes, draw: random.Random) -> bytes:
    return data + bytes(draw.randrange(256) for _ in range(draw.choice((1, 8, 1000))))


def _length(data: bytes, draw: random.Random) -> bytes:
    """Another length of the header."""
    size = draw.choice(
        (0, 1, 2**63, 2**64 - 1, len(data), len(data) - 8, len(data) - 7, int.from_bytes(data[:8], "little") + draw.choice((-1, 1)))
    )
    return struct.pack("<Q", size) + data[8:]


def _numbers(data: bytes, draw: random.Random) -> bytes:
    """Numbers of either header replaced by others."""
    header, tensors = parts(data)
    places = list(re.finditer(rb"(?<=[\[:, ])-?\d+(\.\d+)?(?=[\],}])", header))
    for place in draw.sample(places, draw.choice((1, 1, 2, 5))):
        number = draw.choice(NUMBERS).encode()
        header = header[: place.start()] + number.ljust(len(place[0]))[: max(len(number), len(place[0]))] + header[place.end() :]
        if len(number) > len(place[0]):
            break  # later places have moved
    return joined(header, tensors)


def _inner(data: bytes, draw: random.Random) -> bytes:
    """A value of the inner header replaced by another, or left out."""
    header, tensors = parts(data)
    outer = json.loads(header)
    inner = json.loads(outer["__metadata__"]["timbrespace"])
    key, owner = draw.choice([*_entries(inner["settings"]["model"]), *_entries(inner["settings"]["representation"]), *_entries(inner)])
    value: Any = json.loads(draw.choice((*NUMBERS[:-4], *WORDS)))
    if draw.random() < 0.2:
        del owner[key]
    else:
        owner[key] = [value, value, 60, 70][draw.randrange(3) :] if draw.random() < 0.2 else value
    outer["__metadata__"]["timbrespace"] = json.dumps(inner)
    return joined(json.dumps(outer).encode(), tensors)


def _shapes(data: bytes, draw: random.Random) -> bytes:
    """Tensors with shapes, types, places or names of others, or without some entries."""
    header, tensors = parts(data)
    outer = json.loads(header)
    names = [name for name in outer if name != "__metadata__"]
    for _ in range(draw.choice((1, 1, 3))):
        one, other = draw.sample(names, 2)
        kind = draw.randrange(5)
        if kind == 0:
            outer[one]["shape"] = draw.choice(
                (outer[other]["shape"], outer[one]["shape"][::-1], [*outer[one]["shape"], 1], [], [0], [2**40, 2**40])
            )
        elif kind == 1:
            outer[one], outer[other] = outer[other], outer[one]
        elif kind == 2:
            outer[one]["dtype"] = draw.choice(("F16", "F32", "I8", "F64", "BF16", "I64", "U8", "BOOL"))
        elif kind == 3:
            outer[one]["data_offsets"] = draw.choice((outer[other]["data_offsets"], outer[one]["data_offsets"][::-1], [0, 0], [0, 2**63]))
        else:
            outer[f"{other}.scale"] = outer.pop(one)
            names.remove(one)
    return joined(json.dumps(outer).encode(), tensors)


def _weights(data: bytes, draw: random.Random) -> bytes:
    """A tensor, or single numbers of it, with NaN, infinity, very large, very small, or no values at all."""
    header, tensors = parts(data)
    outer = json.loads(header)
    found = bytearray(tensors)
    wanted = [name for name in outer if name != "__metadata__" and not name.startswith(("clips", "model.encoder", "name_words"))]
    for _ in range(draw.choice((1, 1, 4))):
        begin, end = outer[draw.choice(wanted)]["data_offsets"]
        bits = draw.choice((*BITS, bytes(draw.randrange(256) for _ in range(4))))
        if draw.random() < 0.4:
            found[begin:end] = (bits * ((end - begin) // 4 + 1))[: end - begin]
        elif end - begin >= 4:
            place = begin + 4 * draw.randrange((end - begin) // 4)
            found[place : place + 4] = bits
    return joined(header, bytes(found))


def _entries(values: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(key, values) for key in values]


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped, _cut, _longer, _length, _numbers, _numbers, _inner, _inner, _inner, _shapes, _shapes, _weights, _weights, _weights,
)  # fmt: skip
