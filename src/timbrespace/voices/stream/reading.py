"""Reads a sound file in parts, at RATE, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from timbrespace.audio.files import log_remarks, probe, read_array
from timbrespace.contracts import AudioFileError
from timbrespace.voices.frames import RATE, Values
from timbrespace.voices.stream.rows import Rows

_PART = 1 << 21  # samples of the file at a time


class ReadPiece(NamedTuple):
    """A piece at RATE, one or two channels, and rate in Hz and samples of its file."""

    audio: Rows
    rate: int
    samples: int


def read_rows(path: Path, folder: Path | None = None) -> ReadPiece:
    """Returns a piece as rows `(time, channels)`; more than two channels are mixed to one. folder: see Rows.

    Raises AudioFileError, also for a silent piece, and OSError where the disk is full.
    """
    info = probe(path)
    log_remarks(path, info)
    channels = info.channels if info.channels <= 2 else 1
    rows, peak = Rows(channels, folder), 0.0
    resampler = Resampler(info.sample_rate, RATE, channels, rows)
    for start in range(0, info.frames, _PART):
        part, _ = read_array(path, start=start, frames=_PART, info=info)
        if part.shape[0] > 2:
            part = part.mean(axis=0, dtype=np.float32)[None]
        peak = max(peak, float(np.abs(part).max(initial=0.0)))
        resampler.append(part.T)
    resampler.close()
    if not peak > 0:
        raise AudioFileError(f"{path} is silent; there is nothing to convert")
    return ReadPiece(rows, info.sample_rate, info.frames)


class Resampler:
    """Appends audio in parts to rows at another rate: as `resample_array` of the whole does, round(time · to / from) rows.

    length: rows, in place of that.
    """

    def __init__(self, from_rate: int, to_rate: int, channels: int, rows: Rows, *, length: int | None = None):
        self._length = length
        self._ratio, self._rows, self._taken = to_rate / from_rate, rows, 0
        self._least = -(-from_rate // to_rate)
        self._stream = None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")

    def append(self, part: Values) -> None:
        """Adds `(time, channels)` at the first rate."""
        self._taken += len(part)
        self._add(part if self._stream is None else self._stream.resample_chunk(np.ascontiguousarray(part, np.float32)))

    def close(self) -> None:
        """Adds the remaining part."""
        if self._stream is not None:
            if 0 < self._taken < self._least:  # fewer samples would give nothing
                self._add(self._stream.resample_chunk(np.zeros((self._least - self._taken, self._rows.width), np.float32)))
            self._add(self._stream.resample_chunk(np.zeros((0, self._rows.width), np.float32), last=True))
        missing = self._wanted() - len(self._rows)
        self._rows.append(np.zeros((max(0, missing), self._rows.width), np.float32))

    def _wanted(self) -> int:
        return max(1, round(self._taken * self._ratio)) if self._length is None else self._length

    def _add(self, made: Values) -> None:
        self._rows.append(made.reshape(-1, self._rows.width)[: max(0, self._wanted() - len(self._rows))])
