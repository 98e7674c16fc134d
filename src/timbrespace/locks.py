"""A lock between processes on an open file. It ends with the process, however that ends."""

from __future__ import annotations

from typing import BinaryIO


def lock(file: BinaryIO) -> bool:
    """Locks `file` until it is closed or this process ends. Returns False if another process, or another open file, holds the lock."""
    try:
        try:
            import fcntl
        except ImportError:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (11, 13, 35, 36)  # EAGAIN, EACCES, EDEADLK, …: locked; other errors: this file system has no locks
    return True
