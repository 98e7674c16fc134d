"""Large arrays that are mapped from unnamed files: the system can take their pages, so that they do not fill the memory."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timbrespace.atomic import disk_error

if TYPE_CHECKING:
    from torch import Tensor

_PIECE = 2**20  # bytes written at a time


def mapped(shape: tuple[int, ...], folder: Path | None = None) -> Tensor:
    """`mapped_array` as a tensor."""
    import torch

    return torch.from_numpy(mapped_array(shape, folder))


def mapped_array(shape: tuple[int, ...], folder: Path | None = None) -> np.ndarray:
    """Returns zeros `shape`, float32, mapped from an unnamed file in `folder`; the file ends with the array.

    folder: None for the system's folder for temporary files. Raises TimbrespaceError for a full disk.
    """
    size = 4 * math.prod(shape)
    try:
        # Windows deletes no folder with an open file; its folder of temporary files is on a disk.
        with tempfile.TemporaryFile(dir=None if os.name == "nt" else folder) as file:
            zeros = bytes(_PIECE)
            for start in range(0, size, _PIECE):  # written: through a map alone a full disk would end the process with a signal
                file.write(zeros[: size - start])
            file.flush()
            return np.memmap(file, np.float32, "r+", shape=shape)
    except OSError as error:
        raise disk_error(error, folder or Path(tempfile.gettempdir())) from error


class Shelf:
    """Keeps many arrays: the first ones in memory, the others in blocks that are mapped from unnamed files."""

    def __init__(self, *, held: int = 2**26, block: int = 2**24):
        """held: values kept in memory, 256 MB by default. block: values of a file, at least."""
        self._room, self._block_size = held, block
        self._block: np.ndarray | None = None
        self._used = 0

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Returns a float32 array with the same values: itself while there is room in memory, else a copy in a file.

        Raises TimbrespaceError for a full disk.
        """
        count = array.size
        if count <= self._room:
            self._room -= count
            return array
        self._room = 0  # the later ones all go to files: small ones kept in memory between freed large ones would pin those
        if self._block is None or self._used + count > len(self._block):
            self._block, self._used = mapped_array((max(self._block_size, count),)), 0
        kept = self._block[self._used : self._used + count].reshape(array.shape)
        self._used += count
        kept[...] = array
        return kept
