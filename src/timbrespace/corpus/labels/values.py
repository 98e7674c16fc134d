"""Which texts and numbers can be names, categories and labels of a clip, and how others are made to fit."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, TypeGuard

MAX_LABELS = 64  # of a clip
MAX_LABEL_NAME, MAX_LABEL_TEXT, MAX_CATEGORY = 64, 200, 100  # characters
_LARGEST_NUMBER = 2**53  # whole numbers up to it are exact in JSON
FORBIDDEN = frozenset('/\\:*?"<>|')  # in categories, because they become file names

Scalar = float | int | str


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite int or float, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole_number(value: Any) -> TypeGuard[int]:
    """Whether `value` is an int, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_relative_path(path: str) -> bool:
    """Whether `path` is a relative posix path that stays below its folder on any system."""
    parts = path.replace("\\", "/").split("/")
    return bool(path) and not path.startswith(("/", "\\")) and ".." not in parts and "\0" not in path and path[1:3] not in (":/", ":\\")


def is_category(text: str) -> bool:
    """Whether `text` can be a category or an instrument: printable, and without the characters of FORBIDDEN."""
    return bool(text.strip(" .")) and text.isprintable() and not FORBIDDEN & set(text)


def are_labels(value: Any) -> bool:
    """Whether `value` is a dict of at most 64 labels: short printable names with finite numbers or texts of at most 200 characters."""
    if not isinstance(value, dict) or len(value) > MAX_LABELS:
        return False
    return all(
        isinstance(name, str)
        and 0 < len(name) <= MAX_LABEL_NAME
        and name.isprintable()
        and (len(label) <= MAX_LABEL_TEXT if isinstance(label, str) else is_number(label) and abs(label) <= _LARGEST_NUMBER)
        for name, label in value.items()
    )


def clean_category(text: str | None) -> str | None:
    """`text` as a category or instrument: FORBIDDEN and unprintable characters become spaces, at most 100 characters; None if empty."""
    return _printable(text or "", forbidden=FORBIDDEN)[:MAX_CATEGORY].strip(" .") or None


def clean_labels(**labels: Scalar | None) -> dict[str, Scalar]:
    """The labels that are neither None nor empty; unprintable characters of names and texts become spaces, long texts are cut."""
    out: dict[str, Scalar] = {}
    for name, value in labels.items():
        key = _printable(name)[:MAX_LABEL_NAME]
        label = _printable(value)[:MAX_LABEL_TEXT] if isinstance(value, str) else value
        if key and label not in (None, ""):
            out[key] = label
    return out


def folder_category(folder: str) -> str | None:
    """The name of a folder as a category: lower case, underscores and FORBIDDEN characters become spaces; None if empty."""
    return _printable(folder, forbidden=FORBIDDEN | {"_"}).casefold() or None


def _printable(text: str, *, forbidden: Collection[str] = ()) -> str:
    """`text` with unprintable and forbidden characters as spaces, runs of blanks as one space, none at the ends."""
    return " ".join("".join(c if c.isprintable() and c not in forbidden else " " for c in text).split())
