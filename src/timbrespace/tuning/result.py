"""The result of a search for settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrespace.corpus.corpus import Corpus


@dataclass(frozen=True)
class TuneResult:
    """The result of a search.

    table: a row a trial, the best first. lines: text for a person. best: the file of the best preset, or None. files: all files written.
    corpus: of all trials.
    """

    table: list[dict[str, Any]]
    lines: list[str]
    best: Path | None
    files: list[Path]
    corpus: Corpus
