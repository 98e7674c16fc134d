"""Rows of numbers, appended in order and read by range; large ones are in an unnamed file, which goes with the process."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np

from timbrespace.voices.frames import Values

_IN_MEMORY = 32 << 20  # bytes; more go to the disk


class Rows:
    """Rows `(count, width)` of float32. folder: of the unnamed file; None: all stay in memory."""

    def __init__(self, width: int, folder: Path | None = None):
        self.width, self._count = width, 0
        self._file: Any = io.BytesIO() if folder is None else SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115

    def __len__(self) -> int:
        """The number of rows."""
        return self._count

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows, and their width."""
        return self._count, self.width

    def append(self, rows: Values) -> None:
        """Adds rows `(count, width)`. Raises OSError where the disk is full."""
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(rows, np.float32).tobytes())
        self._count += len(rows)

    def __getitem__(self, at: slice) -> Values:
        """Returns the rows of a slice without a step."""
        start, stop, _ = at.indices(self._count)
        count = max(0, stop - start)
        self._file.seek(4 * self.width * start)
        return np.frombuffer(self._file.read(4 * self.width * count), np.float32).reshape(count, self.width)

    def close(self) -> None:
        """Frees memory and disk."""
        self._file.close()

    def __del__(self) -> None:
        """Frees them also after an error."""
        self.close()


class Piece:
    """A piece, in parts. audio: rows `(time, channels)` at RATE, an array or Rows. Slices are mono."""

    def __init__(self, audio: Values | Rows):
        self.audio = audio
        self.channels = int(audio.shape[1])

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.audio)

    def __getitem__(self, at: slice) -> Values:
        """Returns the mean of the channels `(time,)` in float64."""
        return np.asarray(self.audio[at].mean(axis=1, dtype=np.float64))
