"""Records of the files that a corpus was prepared from, by which an update knows which of them have changed."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from timbrespace.contracts import CorpusError
from timbrespace.corpus import format as names
from timbrespace.corpus.labels.pitch_names import Estimate

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was read: bytes, time of the last change in ns, digest of the content.

    estimate: pitch and confidence of its first seconds, where its name was compared with its sound; else None.
    """

    file: str
    size: int
    mtime_ns: int
    digest: str
    estimate: Estimate | None = None

    @classmethod
    def of(cls, path: Path, file: str) -> FileRecord:
        """The record of the file at `path`, which is read as a whole. Raises OSError."""
        before = path.stat()
        return cls(file, before.st_size, before.st_mtime_ns, digest_of_file(path))

    def fits(self, path: Path) -> bool:
        """Whether the file at `path` is still the same. It is read only if its size is the same and its time is not."""
        try:
            now = path.stat()
            if now.st_size != self.size:
                return False
            return now.st_mtime_ns == self.mtime_ns or digest_of_file(path) == self.digest
        except OSError:
            return False


def digest_of_file(path: Path) -> str:
    """A digest of the content of a file, as long as it was when opened. Raises OSError, also for a pipe or a device, which may not end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size  # a recording may still grow
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def write_records(folder: Path, records: Mapping[str, FileRecord]) -> None:
    """Writes the records into a corpus folder, a line a file."""
    with (folder / names.RECORDS).open("wb") as out:
        for record in records.values():
            out.write((json.dumps(asdict(record), ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def read_records(folder: Path) -> dict[str, FileRecord]:
    """The records of a corpus by file. Raises CorpusError if there are none or they are damaged."""
    path = folder / names.RECORDS
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines() if line]
        records = [_record(row) for row in rows]
    except FileNotFoundError:
        raise CorpusError(
            f"{folder} has no records of its files, as it was made by an earlier version; prepare it again with --force, without --update"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} is damaged ({error}); prepare the corpus again with --force, without --update") from None
    return {record.file: record for record in records}


def _record(row: Any) -> FileRecord:
    """The record of a parsed line. Raises ValueError, KeyError or TypeError."""
    estimate = None
    if row["estimate"] is not None:
        midi, confidence = row["estimate"]
        estimate = (None if midi is None else float(midi), float(confidence))
        if not all(math.isfinite(value) for value in estimate if value is not None):
            raise ValueError("an estimate is not finite")
    if not isinstance(row["file"], str) or not isinstance(row["digest"], str):
        raise ValueError("file and digest must be text")
    return FileRecord(os.fspath(row["file"]), int(row["size"]), int(row["mtime_ns"]), row["digest"], estimate)
