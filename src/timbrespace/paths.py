"""Questions about paths whose answer is False, not an error, where permission is missing."""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether `path` is a regular file that may be looked at."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder that may be looked at."""
    try:
        return path.is_dir()
    except OSError:
        return False
