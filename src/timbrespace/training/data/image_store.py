"""Prepared features of all examples, an image each, on disk in half precision."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from timbrespace.atomic import disk_error, write_json
from timbrespace.training.data.clip_dataset import ClipDataset

_MOST_VALUES = 2**24  # read into memory at once
_CHUNK = 64  # rows encoded between two calls of `progress`
_CHUNKS_PER_NOTE = 8  # chunks between two writes of the note: a kill loses these at most


class ImageStore:
    """Half-precision images `(rows, cells)`, a row an example, and lengths `(rows,)` in a folder.

    The rows are filled in order; filling resumes where it stopped.
    """

    def __init__(self, folder: Path, *, rows: int, cells: int):
        self.rows, self.cells = rows, cells
        self._note = folder / "images.json"
        self._images_path = folder / "images.f16"
        if not self._images_path.exists() or self._images_path.stat().st_size != rows * cells * 2:
            self._note.unlink(missing_ok=True)
            with _writing(self._images_path, "wb") as file:
                file.truncate(rows * cells * 2)
        self.lengths = torch.zeros(rows, dtype=torch.int64)
        self.done = self._read_note()
        self._mapped: np.memmap | None = None

    def fill(self, encode: Callable[[list[int]], tuple[Tensor, Tensor]], *, progress: Callable[[int, int], None]) -> None:
        """Encodes and writes the missing rows.

        encode: ascending row numbers -> images `(rows, cells)` and lengths `(rows,)` in samples. progress: called with the number of
        rows done and in all.
        """
        # Written as a plain file: through a memory map a full disk would end the process with a signal instead of an error.
        with _writing(self._images_path, "r+b") as file:
            file.seek(self.done * self.cells * 2)
            while self.done < self.rows:
                chunk = list(range(self.done, min(self.done + _CHUNK, self.rows)))
                images, lengths = encode(chunk)
                file.write(images.numpy().astype("<f2").tobytes())
                self.lengths[chunk[0] : chunk[-1] + 1] = lengths
                self.done = chunk[-1] + 1
                if self.done % (_CHUNKS_PER_NOTE * _CHUNK) == 0 or self.done == self.rows:
                    file.flush()
                    write_json(self._note, {"done": self.done, "lengths": self.lengths[: self.done].tolist()}, force=True)
                progress(self.done, self.rows)

    def batches(self, kept: Tensor | None = None) -> Iterator[Tensor]:
        """All images in order as float32 `(batch, cells)`: 512 in a batch, fewer if they are large. kept `(rows,)` bool: only these."""
        size = max(1, min(512, _MOST_VALUES // self.cells))
        for start in range(0, self.rows, size):
            count = min(size, self.rows - start) * self.cells
            images = np.fromfile(self._images_path, "<f2", count, offset=start * self.cells * 2)
            batch = torch.from_numpy(images.astype(np.float32).reshape(-1, self.cells))
            batch = batch if kept is None else batch[kept[start : start + len(batch)]]
            if len(batch):
                yield batch

    def take(self, rows: Tensor) -> Tensor:
        """The images of `rows (n,)` as float32 `(n, cells)`."""
        if self._mapped is None:
            self._mapped = np.memmap(self._images_path, "<f2", "r", shape=(self.rows, self.cells))
        return torch.from_numpy(self._mapped[rows.numpy()].astype(np.float32))

    def close(self) -> None:
        """Closes the file, so that its folder can be removed on every system."""
        self._mapped = None

    def _read_note(self) -> int:
        """The number of rows that are done; reads their lengths. 0 if the note cannot be used."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            done = max(0, min(int(note["done"]), self.rows))
            self.lengths[:done] = torch.tensor(note["lengths"][:done], dtype=torch.int64)
            return done
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            return 0


def cached_folder(cache: Path, dataset: ClipDataset, *, rows: int, fingerprint: str) -> Path:
    """The folder below `cache` for the images of exactly these rows, created if missing; folders of other images are removed.

    fingerprint: of the corpus. The name also depends on the first encoded row, so it changes with the representation and the model.
    """
    probe, _ = dataset[0]
    what = [fingerprint, dataset.clips, dataset.samples, dataset.seed, dataset.augmentation.model_dump(mode="json"), rows]
    digest = hashlib.sha256(json.dumps(what).encode() + probe.numpy().tobytes()).hexdigest()[:16]
    folder = cache / digest
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in cache.iterdir():
            if other != folder and len(other.name) == len(digest):
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder


@contextmanager
def _writing(path: Path, mode: str) -> Iterator[BinaryIO]:
    """The open file; a full disk raises a TimbrespaceError."""
    try:
        with path.open(mode) as file:
            yield cast(BinaryIO, file)
    except OSError as error:
        raise disk_error(error, path) from error
