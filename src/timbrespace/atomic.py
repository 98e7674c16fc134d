"""Writing results so that a reader sees either the old file, nothing, or the whole new file.

Everything is first written beside its place under a hidden `.partial` name, then renamed. A result that exists is kept unless
`force` is given, and a full disk is told in one sentence.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from timbrespace.contracts import OutputExistsError, TimbrespaceError

_STALE_SECONDS = 3600.0  # a partial file older than this was left by a run that was killed


def disk_error(error: OSError, path: Path) -> TimbrespaceError:
    """Turns an operating system error met while writing `path` into one that says what to do."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return TimbrespaceError(f"no room left on the disk while writing {path}; free some space or choose another place with --out")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return TimbrespaceError(f"not allowed to write {path}; choose a place you may write to with --out")
    return TimbrespaceError(f"could not write {path}: {error.strerror or error}; choose another place with --out")


def check_absent(path: Path, *, force: bool = False) -> None:
    """Raises OutputExistsError when `path` exists and `force` is False, TimbrespaceError when it is a folder."""
    if path.is_dir():
        raise TimbrespaceError(f"{path} is a folder; give the name of a file to write")
    if not force and os.path.lexists(path):
        raise OutputExistsError(f"{path} exists already and is kept; give another name, or --force to replace it")


@contextmanager
def replacing(path: Path | str, *, force: bool = False) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to; when the block ends well it becomes `path`, else it is removed.

    Missing parent folders are made. Raises OutputExistsError (see `check_absent`); an OSError inside becomes a TimbrespaceError.
    """
    path = Path(path)
    check_absent(path, force=force)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        yield temporary
        check_absent(path, force=force)  # somebody else may have written it meanwhile
        temporary.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        with suppress(OSError):  # where nothing could be written there is nothing to remove, and the reason is told above
            temporary.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Removes partial files that killed runs left for this very `path`."""
    prefix = f".{path.name}."
    for other in path.parent.iterdir():
        token = other.name[len(prefix) : -len(".partial")]
        if other.name.startswith(prefix) and other.name.endswith(".partial") and len(token) == 8:
            try:
                if time.time() - other.stat().st_mtime > _STALE_SECONDS:
                    other.unlink()
            except OSError:
                continue  # gone, or not ours to remove


def write_bytes(path: Path | str, data: bytes, *, force: bool = False) -> None:
    """Writes `data` to `path`, whole or not at all. Raises OutputExistsError, TimbrespaceError (disk full, not allowed)."""
    with replacing(path, force=force) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str, *, force: bool = False) -> None:
    """Writes `text` as UTF-8 with `\\n` line ends, whole or not at all. Raises as `write_bytes`."""
    write_bytes(path, text.encode("utf-8"), force=force)


def write_json(path: Path | str, value: Any, *, force: bool = False) -> None:
    """Writes `value` as readable UTF-8 JSON (NaN and infinity are refused: not JSON). Raises as `write_bytes`, ValueError.

    Names of files that are no valid text (lone surrogates) become JSON escapes.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"), force=force)
