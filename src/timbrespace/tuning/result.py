"""The result of a search for settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TuneResult:
    """A row a trial (the best first), lines of text for a person, the file of the best preset or None, and all files written."""

    table: list[dict[str, Any]]
    lines: list[str]
    best: Path | None
    files: list[Path]
