"""Writes a corpus folder: clips go to disk one by one, and the folder gets its name only when it is complete."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from timbrespace.atomic import disk_error
from timbrespace.contracts import OutputExistsError, TimbrespaceError
from timbrespace.corpus import format as names
from timbrespace.corpus.corpus import is_corpus
from timbrespace.locks import lock

_LONG_NAME = 128  # bytes
_HEADER = 128  # bytes reserved for the .npy header, which is written last, when the length is known


class ArrayWriter:
    """Writes an .npy file row by row: an array `(rows, *shape)` of `dtype` in C order. `rows` is the number written so far."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str):
        self.rows, self._shape, self._dtype = 0, shape, np.dtype(dtype)
        self._file = path.open("wb")
        self._file.write(bytes(_HEADER))

    def append(self, rows: np.ndarray) -> None:
        """Appends an array `(n, *shape)`. Raises ValueError for another shape."""
        if rows.shape[1:] != self._shape:
            raise ValueError(f"rows of shape {rows.shape[1:]}, {self._shape} expected")
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self.rows += len(rows)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                text = f"{{'descr': '{self._dtype.str}', 'fortran_order': False, 'shape': {(self.rows, *self._shape)}, }}"
                header = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + text.encode().ljust(_HEADER - 11) + b"\n"
                self._file.seek(0)
                self._file.write(header)
        finally:
            self._file.close()


def keep_rows(path: Path, offsets: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Rewrites an .npy file so that only the items `kept` (ascending) remain. Returns the new offsets.

    offsets: item i is the rows offsets[i] to offsets[i + 1].
    """
    rest = path.with_name(f"{path.name}.rest")
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    out = [0]
    with ArrayWriter(rest, rows.shape[1:], rows.dtype.str) as writer:
        for i in kept:
            writer.append(rows[offsets[i] : offsets[i + 1]])
            out.append(writer.rows)
    del rows  # Windows does not replace a file that is mapped
    rest.replace(path)
    return out


def check_output(source: Path | None, out: Path, *, force: bool) -> None:
    """Raises OutputExistsError if `out` exists, TimbrespaceError if it is inside, around or equal to `source`.

    With `force` a folder that is a corpus and holds nothing else may be replaced.
    """
    if source is not None:
        real_source, real_out = Path(os.path.realpath(source)), Path(os.path.realpath(out))
        if real_out == real_source:
            raise TimbrespaceError(f"the corpus cannot be written over its own source {source}; give another --out")
        if real_source in real_out.parents:
            raise TimbrespaceError(f"{out} is inside the source folder {source}, which is never written to; give an --out elsewhere")
        if real_out in real_source.parents:
            raise TimbrespaceError(f"the source {source} is inside {out}, which would be replaced; give another --out")
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not force:
        raise OutputExistsError(f"{out} exists already and is kept; give another --out, or --force to replace a corpus")
    if out.is_symlink() or not out.is_dir() or not is_corpus(out):
        raise OutputExistsError(f"{out} is not a corpus, so --force does not replace it; give another --out")
    foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in names.FILES)
    if foreign:
        raise OutputExistsError(
            f"{out} also holds {', '.join(foreign[:3])}, which is not part of a corpus; move that away or give another --out"
        )


def _hidden_name(name: str, suffix: str) -> str:
    """The hidden name beside `name` with a suffix; a long name is replaced by its digest, since file systems allow 255 bytes."""
    data = os.fsencode(name)
    return f".{name if len(data) < _LONG_NAME else hashlib.blake2b(data, digest_size=8).hexdigest()}{suffix}"


@contextmanager
def new_folder(out: Path, *, force: bool) -> Iterator[Path]:
    """Yields a hidden folder beside `out` to fill; it is renamed to `out` if the block succeeds, and removed otherwise.

    Remains of a killed run are removed first. Raises TimbrespaceError while another run, which holds a lock, is writing `out`.
    """
    out = Path.cwd() / out
    partial, old, lock_path = (out.with_name(_hidden_name(out.name, suffix)) for suffix in (".partial", ".old", ".lock"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with lock_path.open("ab") as lock_file:
            if not lock(lock_file):
                raise TimbrespaceError(f"another run is writing {out}; wait for it or give another --out")
            try:
                if old.exists() and not out.exists():
                    old.replace(out)  # killed between the two renames below
                    check_output(None, out, force=force)
                shutil.rmtree(old, ignore_errors=True)
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                yield partial
                check_output(None, out, force=force)
                if out.is_dir():
                    out.replace(old)
                partial.replace(out)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
                if out.exists():
                    shutil.rmtree(old, ignore_errors=True)
                lock_path.unlink(missing_ok=True) if os.name != "nt" else None
        if os.name == "nt":
            lock_path.unlink(missing_ok=True)  # Windows does not remove an open file
    except OSError as error:
        raise disk_error(error, out) from error
