"""Atomic writing: a reader sees either the old file, no file, or the whole new file.

A file is written under a short hidden `.partial` name in the same folder and then renamed. An existing file is kept unless `force` is
given. A full disk and missing permissions become one sentence for the user.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from timbrespace.contracts import OutputExistsError, TimbrespaceError
from timbrespace.paths import is_folder

_STALE_SECONDS = 3600.0  # a partial file older than this is from a killed run


def disk_error(error: OSError, path: Path) -> TimbrespaceError:
    """The error for the user after an operating system error while writing `path`: it says what to do."""
    short_write = error.errno is None and "requested and" in str(error)  # what NumPy says where fewer bytes were written than wanted
    if short_write or error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return TimbrespaceError(f"no room left on the disk while writing {path}; free some space or choose another disk")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return TimbrespaceError(f"no permission to write {path}; choose another folder")
    if error.errno == errno.ENAMETOOLONG:
        return TimbrespaceError(f"could not write {path}: its name is too long for this disk; give a shorter one")
    return TimbrespaceError(f"could not write {path}: {error.strerror or error}; choose another folder")


def is_name_too_long(error: TimbrespaceError) -> bool:
    """Whether an error of this module is about one name that is too long, so that other files can still be written."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENAMETOOLONG


def check_absent(path: Path, *, force: bool = False) -> None:
    """Raises OutputExistsError if `path` exists and `force` is False, TimbrespaceError if it is a folder."""
    if is_folder(path):
        raise TimbrespaceError(f"{path} is a folder; give the name of a file to write")
    if not force and os.path.lexists(path):
        raise OutputExistsError(f"{path} exists already and is kept; give another name, or --force to replace it")


@contextmanager
def replacing(path: Path | str, *, force: bool = False) -> Iterator[Path]:
    """Yields a temporary path to write to, which is renamed to `path` if the block succeeds, and removed otherwise.

    Missing parent folders are created. Raises OutputExistsError (see `check_absent`), and TimbrespaceError for an OSError in the block.
    """
    path = Path(path)
    check_absent(path, force=force)
    temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        yield temporary
        check_absent(path, force=force)  # another process may have written it meanwhile
        temporary.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        with suppress(OSError):  # the reason why nothing could be written is in the error above
            temporary.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    """The beginning of the temporary names of `path`: a digest of its name, so that they are short however long it is."""
    return f".{hashlib.blake2b(os.fsencode(path.name), digest_size=4).hexdigest()}."


def _remove_stale(path: Path) -> None:
    """Removes partial files of killed runs that were writing `path`."""
    prefix = _prefix(path)
    for other in path.parent.iterdir():
        token = other.name[len(prefix) : -len(".partial")]
        if other.name.startswith(prefix) and other.name.endswith(".partial") and len(token) == 8:
            try:
                if time.time() - other.stat().st_mtime > _STALE_SECONDS:
                    other.unlink()
            except OSError:
                continue  # removed meanwhile, or not permitted


def write_bytes(path: Path | str, data: bytes, *, force: bool = False) -> None:
    """Writes `data` to `path` atomically. Raises OutputExistsError, TimbrespaceError (disk full, no permission)."""
    with replacing(path, force=force) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str, *, force: bool = False) -> None:
    """Writes `text` to `path` atomically, as UTF-8 with `\\n` line ends. Raises as `write_bytes`."""
    write_bytes(path, text.encode("utf-8"), force=force)


def write_json(path: Path | str, value: Any, *, force: bool = False) -> None:
    """Writes `value` to `path` atomically, as indented UTF-8 JSON. Raises as `write_bytes`, and ValueError for NaN and infinity.

    File names that are not valid text (lone surrogates) become JSON escapes.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"), force=force)
