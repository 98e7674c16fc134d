"""A read-only view of a file with some bytes replaced, for a decoder."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from timbrespace.audio.containers.base import Part


class FileView(io.RawIOBase):
    """The concatenation of `parts`: literal bytes and (start, stop) ranges of the file at `path`."""

    def __init__(self, path: Path, parts: Sequence[Part]) -> None:
        self._parts = list(parts)
        self._starts = [0]
        for part in parts:
            self._starts.append(self._starts[-1] + (len(part) if isinstance(part, bytes) else part[1] - part[0]))
        self._position = 0
        self.failure: BaseException | None = None
        self._file = path.open("rb", buffering=1 << 16)

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position and returns it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (-1: all up to the end), across the borders of parts."""
        remaining = self._starts[-1] - self._position if size < 0 else size
        pieces = []
        while remaining > 0 and self._position < self._starts[-1]:
            index = bisect_right(self._starts, self._position) - 1
            part, inside = self._parts[index], self._position - self._starts[index]
            count = min(remaining, self._starts[index + 1] - self._position)
            if isinstance(part, bytes):
                piece = part[inside : inside + count]
            else:
                self._file.seek(part[0] + inside)
                piece = self._file.read(count)
            if not piece:
                break
            pieces.append(piece)
            self._position += len(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fills `buffer` and returns the number of bytes written to it.

        The decoder calls this from C, through which no exception passes: it is kept in `failure`, and the decoder sees the end of the file.
        """
        view = memoryview(buffer).cast("B")
        try:
            data = self.read(len(view))
        except BaseException as error:  # Ctrl-C too
            self.failure = error
            return 0
        view[: len(data)] = data
        return len(data)

    def __exit__(self, *details: object) -> None:
        """Closes the file and raises an error that occurred while the decoder read from it."""
        self.close()
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            self._file.close()
        super().close()
