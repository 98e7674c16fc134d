"""The report of `doctor`: what a folder of sounds holds, and the findings about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DEFAULT_MINUTES = 3.0  # of training, as in `train`
LEVELS = ("problem", "advice", "note")


@dataclass(frozen=True)
class Finding:
    """One finding about a folder.

    level: 'problem' (files cannot be used), 'advice' (worth a look) or 'note' (`prepare` takes care of it). count: number of files.
    what: completes "N files …". do: what to do about it. files: the first names.
    """

    level: Literal["problem", "advice", "note"]
    kind: str
    count: int
    what: str
    do: str
    files: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What `doctor` found in a folder.

    total_seconds, lengths: s. folder_categories: number of files by category, of categories that are the name of a folder and no known
    word; folder_rule: a rule that renames the largest. unreadable: {"file", "reason"} of all that is
    passed over. exact_duplicates, near_duplicates: sets of file names. layout: whose tables were
    read. pitches: number of files whose pitch is 'labelled' (by tables or names), 'to be estimated', or that are 'drums'. pitch_names:
    how pitches in names are read, see `labels.pitch_names.NameVote`. clips: how many `prepare` cuts from all files; clips_by_file: of
    each file with more than one. tables: {"file", "reason"} of table lines that cannot be used. remarks: {"file", "kind", "text"} of
    files that are nevertheless read. prepare_seconds: estimated time of `prepare`.
    """

    folder: str
    files: int
    usable: int
    total_seconds: float
    lengths: dict[str, float]
    formats: dict[str, int]
    sample_rates: dict[str, int]
    channels: dict[str, int]
    categories: dict[str, int]
    uncategorised: int
    unreadable: list[dict[str, str]]
    exact_duplicates: list[list[str]]
    near_duplicates: list[list[str]]
    folder_categories: dict[str, int] = field(default_factory=dict)
    folder_rule: str = ""
    layout: str = "folder"
    instruments: dict[str, int] = field(default_factory=dict)
    pitches: dict[str, int] = field(default_factory=dict)
    pitch_names: list[dict[str, Any]] = field(default_factory=list)
    clips: int = 0
    clips_by_file: dict[str, int] = field(default_factory=dict)
    tables: list[dict[str, str]] = field(default_factory=list)
    remarks: list[dict[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    prepare_seconds: float = 0.0
    train_minutes: float = DEFAULT_MINUTES
    took_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain numbers, texts, lists and dicts, ready for JSON."""
        return asdict(self)
