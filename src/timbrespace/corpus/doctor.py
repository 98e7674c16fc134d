"""What a folder of sounds holds, what is wrong with it, and what to do about each thing. Reads only; needs no torch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.audio.files import find_audio
from timbrespace.contracts import CLIP_SECONDS, SAMPLE_RATE, CorpusError
from timbrespace.corpus.checkup import Checkup, check
from timbrespace.corpus.corpus import is_corpus
from timbrespace.corpus.findings import Finding, findings
from timbrespace.corpus.fingerprint import near_pairs
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.manifest import know
from timbrespace.corpus.sources import Shape, Unit, make, ordered_map, relative
from timbrespace.corpus.splits import join

DEFAULT_MINUTES = 3.0  # what `train` takes unless told otherwise
_TRIED = 12  # files that are prepared for a measure of the speed


@dataclass
class Report:
    """What `doctor` found. Lengths in seconds; `exact_duplicates` and `near_duplicates` are sets of file names.

    `layout`: whose tables were read; `pitches`: files whose pitch is told by tables or names, may be estimated, or neither ('drums');
    `tables`: {"file", "reason"} of what the tables say that cannot be used.
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
    layout: str = "folder"
    instruments: dict[str, int] = field(default_factory=dict)
    pitches: dict[str, int] = field(default_factory=dict)
    tables: list[dict[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    prepare_seconds: float = 0.0
    train_minutes: float = DEFAULT_MINUTES
    took_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, texts, lists and dicts, ready for JSON."""
        return asdict(self)


def doctor(
    folder: Path | str,
    *,
    rules: dict[str, str] | None = None,
    layout: str = "auto",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Examines every sound file below `folder`. progress(done, total) is called after each. layout: see `prepare`.

    Raises CorpusError when there is not one sound file or a table is no table, AudioFileError when the folder cannot be opened,
    ConfigError for a layout that is unknown or not there. Bad files are findings.
    """
    begun = time.perf_counter()
    folder = Path(folder)
    problems: list[tuple[Path, str]] = []
    paths = find_audio(folder, problems=problems)
    if not paths and not problems:
        if is_corpus(folder):
            raise CorpusError(f"{folder} is a prepared corpus, not a folder of sounds; give it to `timbrespace train` as it is")
        raise CorpusError(f"there are no sound files in {folder}; give a folder with WAV, AIFF, FLAC, OGG or MP3 files")
    names = [relative(path, folder) for path in paths]
    listing = read_labels(folder, frozenset(names), layout=layout)
    known = know(names, listing, rules, root=folder.resolve().name)
    found: list[Checkup] = []
    for checkup in ordered_map(lambda path: check(path, relative(path, folder)), paths, workers=workers):
        found.append(checkup)
        if progress is not None:
            progress(len(found), len(paths))
    good = [one for one in found if one.reason is None]
    usable = [one for one in good if not one.silent]
    labels = [known[one.file] for one in usable]
    exact, near = _duplicates(usable)
    lengths = np.array([one.seconds for one in good])
    counted = Counter(one.category for one in labels if one.category is not None)
    report = Report(
        folder=str(folder),
        files=len(found) + len(problems),
        usable=len(usable),
        total_seconds=round(float(lengths.sum()), 3),
        lengths=_figures(lengths),
        formats=_counts(one.format for one in good),
        sample_rates=_counts(str(one.rate) for one in good),
        channels=_counts(str(one.channels) for one in good),
        categories=dict(counted.most_common()),
        uncategorised=len(usable) - counted.total(),
        unreadable=[{"file": relative(path, folder), "reason": reason} for path, reason in problems]
        + [{"file": one.file, "reason": one.reason} for one in found if one.reason is not None],
        exact_duplicates=exact,
        near_duplicates=near,
        layout=listing.layout,
        instruments=_counts(one.instrument for one in labels if one.instrument is not None),
        pitches=_counts(_pitch_source(one) for one in labels),
        tables=listing.problems,
    )
    report.findings = findings(report, found)
    report.prepare_seconds = _preparation(folder, usable)
    report.took_seconds = round(time.perf_counter() - begun, 3)
    return report


def _pitch_source(labels: FileLabels) -> str:
    if labels.pitch is not None or labels.moment is not None:
        return "told"
    return "drums" if labels.category in DRUM_CATEGORIES else "to be estimated"


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _figures(lengths: np.ndarray) -> dict[str, float]:
    if not len(lengths):
        return {}
    figures = {"min": lengths.min(), "median": np.median(lengths), "p95": np.quantile(lengths, 0.95), "max": lengths.max()}
    return {name: round(float(value), 6) for name, value in figures.items()}


def _duplicates(usable: list[Checkup]) -> tuple[list[list[str]], list[list[str]]]:
    """Sets of files with the very same audio, and sets that sound nearly the same (an exact set is listed once, there)."""
    by_digest: dict[bytes, list[str]] = {}
    for one in usable:
        by_digest.setdefault(one.digest, []).append(one.file)
    exact = [files for files in by_digest.values() if len(files) > 1]
    first = {files[0] for files in by_digest.values()}
    single = [one for one in usable if one.file in first]
    if len(single) < 2:
        return exact, []
    labels = join(len(single), near_pairs(np.stack([one.fingerprint for one in single])))
    near: dict[int, list[str]] = {}
    for one, label in zip(single, labels.tolist(), strict=True):
        near.setdefault(label, []).append(one.file)
    return exact, [files for files in near.values() if len(files) > 1]


def _preparation(folder: Path, usable: list[Checkup]) -> float:
    """Seconds that `prepare` will take here, from preparing a few files spread over the folder and throwing the clips away."""
    tried = usable[:: max(1, len(usable) // _TRIED)][:_TRIED]
    if not tried:
        return 0.0
    shape = Shape(SAMPLE_RATE, 1, "auto", CLIP_SECONDS)
    begun, audio = time.perf_counter(), 0.0
    for one in tried:
        if one.info is None or (one.seconds > 60 and audio):
            continue
        frames = min(one.info.frames, round(60 * one.rate))
        made = make(Unit(one.path, one.file, one.info, frames=frames), shape)
        audio += frames / one.rate if made.clips else 0.0
        if time.perf_counter() - begun > 1.0:
            break
    took = time.perf_counter() - begun
    return round(took * sum(one.seconds for one in usable) / max(audio, 1e-3), 2) if audio else 0.0
