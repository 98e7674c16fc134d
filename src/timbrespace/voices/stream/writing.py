"""Writes rows as a WAV file, in parts."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from timbrespace.audio.files import wav_bytes
from timbrespace.voices.frames import Values
from timbrespace.voices.stream.rows import Rows

_PART = 1 << 19  # rows at a time
_LARGEST = (1 << 32) - 1  # bytes after the first eight of a RIFF file; larger ones are RF64 (EBU Tech 3306)


def write_rows(path: Path, rows: Rows, rate: int, *, gain: float = 1.0, subtype: str = "PCM_24") -> None:
    """Writes rows `(time, channels)`: the bytes are those of `audio.files.write`. Raises OSError where the disk is full."""
    with path.open("wb") as file, ThreadPoolExecutor(1) as pool:  # see `wav_bytes`: the encoder must not meet Ctrl-C
        file.write(_header(rows, rate, gain, subtype))
        size = 0
        for start in range(0, len(rows), _PART):
            data = pool.submit(_encoded, rows[start : start + _PART] * np.float32(gain), rate, subtype).result()
            size += len(data)
            file.write(data)
        file.write(bytes(size % 2))


def _encoded(part: Values, rate: int, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, part, rate, format="RAW", subtype=subtype)
    return buffer.getvalue()


def _header(rows: Rows, rate: int, gain: float, subtype: str) -> bytes:
    """The bytes before the samples: those of a file of one sample, with the sizes and peaks of this one."""
    head = bytearray(wav_bytes(np.zeros((rows.width, 1), np.float32), rate, subtype=subtype))
    data = head.index(b"data", 12)
    del head[data + 8 :]
    size = len(rows) * rows.width * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    if subtype == "FLOAT":
        fact, peak = head.index(b"fact", 12), head.index(b"PEAK", 12)
        head[fact + 8 : fact + 12] = struct.pack("<I", min(len(rows), _LARGEST))
        for channel, (value, at) in enumerate(_peaks(rows, gain)):
            head[peak + 16 + 8 * channel : peak + 24 + 8 * channel] = struct.pack("<fI", value, at)
    whole = len(head) - 8 + size + size % 2
    if whole <= _LARGEST:
        head[4:8], head[data + 4 : data + 8] = struct.pack("<I", whole), struct.pack("<I", size)
        return bytes(head)
    head[0:8], head[data + 4 : data + 8] = b"RF64" + b"\xff" * 4, b"\xff" * 4
    return bytes(head[:12]) + b"ds64" + struct.pack("<IQQQI", 28, whole + 36, size, len(rows), 0) + bytes(head[12:])


def _peaks(rows: Rows, gain: float) -> list[tuple[float, int]]:
    """The largest sample of each channel and where it is, as libsndfile notes them."""
    found = [(0.0, 0)] * rows.width
    for start in range(0, len(rows), _PART):
        part = np.abs(rows[start : start + _PART] * np.float32(gain))
        for channel, at in enumerate(part.argmax(axis=0)):
            if part[at, channel] > found[channel][0]:
                found[channel] = (float(part[at, channel]), start + int(at))
    return found
