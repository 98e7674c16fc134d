"""Examines a folder of sounds without changing it: what it holds, what is wrong, and what to do. Needs no PyTorch."""

from __future__ import annotations

import glob
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from timbrespace.audio.files import AUDIO_SUFFIXES, UNOPENED, find_audio, suffix_of
from timbrespace.contracts import CLIP_SECONDS, SAMPLE_RATE, CorpusError
from timbrespace.corpus.corpus import is_corpus
from timbrespace.corpus.doctor.file_report import FileReport, examine_file
from timbrespace.corpus.doctor.findings import find_problems
from timbrespace.corpus.doctor.long_files import clip_counts
from timbrespace.corpus.doctor.report import Report
from timbrespace.corpus.fingerprint import near_pairs
from timbrespace.corpus.grouping import connected_components
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES, naming_folder
from timbrespace.corpus.labels.collect import collect_labels
from timbrespace.corpus.labels.pitch_names import check_mode, check_pitch_names
from timbrespace.corpus.labels.readers.labels import FileLabels
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.sources import ClipFormat, SourceUnit, named_files, prepare_unit, relative_name
from timbrespace.parallel import ordered_map
from timbrespace.paths import is_folder

_TIMED_FILES = 12  # prepared to measure the speed


def doctor(
    folder: Path | str,
    *,
    rules: dict[str, str] | None = None,
    layout: str = "auto",
    pitch_names: str = "auto",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """The report of all sound files below `folder`. Bad files are findings, not errors.

    rules: name pattern -> category. layout, pitch_names: see `prepare`. progress(done, total) is called after each file.

    Raises CorpusError if there is no sound file or a table cannot be read, AudioFileError if the folder cannot be opened, ConfigError
    for a layout that is unknown or not found.
    """
    started = time.perf_counter()
    folder = Path(folder)
    check_mode(pitch_names)
    problems: list[tuple[Path, str]] = []
    paths = find_audio(folder, problems=problems)
    if not paths and not problems:
        if is_corpus(folder):
            raise CorpusError(f"{folder} is a prepared corpus, not a folder of sounds; give it to `timbrespace train` as it is")
        raise CorpusError(f"there are no sound files in {folder}; give a folder with WAV, AIFF, FLAC, OGG or MP3 files")
    named = named_files(paths, folder)
    names = [file for _, file in named]
    tables = read_labels(folder, frozenset(names), layout=layout)
    labels_by_file = collect_labels(names, tables, rules, root=folder.resolve().name)
    files: list[FileReport] = []
    for file in ordered_map(lambda pair: examine_file(*pair), named, workers=workers):
        files.append(file)
        if progress is not None:
            progress(len(files), len(named))
    readable = [one for one in files if one.reason is None]
    usable = [one for one in readable if not one.silent]
    sounds = {one.file: one.path for one in usable}
    labels_by_file, votes = check_pitch_names(labels_by_file, tables, sounds, mode=pitch_names, workers=workers)
    labels = [labels_by_file[one.file] for one in usable]
    exact, near = _duplicates(usable)
    clips = clip_counts(usable, workers=workers)
    lengths = np.array([one.seconds for one in readable])
    categories = Counter(one.category for one in labels if one.category is not None)
    sorted_in = {
        (one.file, naming): own.category
        for one, own in zip(usable, labels, strict=True)
        if own.category and one.file not in tables.files and (naming := naming_folder(one.file, own.category))
    }
    report = Report(
        folder=str(folder),
        files=len(files) + sum(suffix_of(path) in AUDIO_SUFFIXES and not is_folder(path) for path, _ in problems),
        usable=len(usable),
        total_seconds=round(float(lengths.sum()), 3),
        lengths=_statistics(lengths),
        formats=_counts(one.format for one in readable),
        sample_rates=_counts(str(one.rate) for one in readable),
        channels=_counts(str(one.channels) for one in readable),
        categories=dict(categories.most_common()),
        folder_categories=_counts(sorted_in.values()),
        folder_rule=_rule_for(sorted_in),
        uncategorised=len(usable) - categories.total(),
        unreadable=sorted(
            [{"file": relative_name(path, folder), "reason": reason} for path, reason in problems]
            + [{"file": one.file, "reason": one.reason} for one in files if one.reason is not None],
            key=lambda row: row["reason"] in UNOPENED.values(),
        ),
        exact_duplicates=exact,
        near_duplicates=near,
        layout=tables.layout,
        instruments=_counts(one.instrument for one in labels if one.instrument is not None),
        pitches=_counts(_pitch_source(one) for one in labels),
        pitch_names=[vote.as_dict() for vote in votes],
        clips=sum(clips.values()),
        clips_by_file={file: count for file, count in clips.items() if count > 1},
        tables=tables.problems,
        remarks=[{"file": one.file, "kind": remark.kind, "text": remark.text} for one in readable for remark in one.remarks],
    )
    report.findings = find_problems(report, files)
    report.prepare_seconds = _estimate_prepare_seconds(usable)
    report.took_seconds = round(time.perf_counter() - started, 3)
    return report


def _rule_for(sorted_in: dict[tuple[str, str], str]) -> str:
    """A rule, quoted for the shell, that renames the largest category in `sorted_in`, {(file, folder): category}; '' if it is empty."""
    if not sorted_in:
        return ""
    largest = Counter(sorted_in.values()).most_common(1)[0][0]
    folder = next(folder for (_, folder), category in sorted_in.items() if category == largest)
    return shlex.quote(f"NAME=*{glob.escape(folder)}/*")


def _pitch_source(labels: FileLabels) -> str:
    if labels.pitch is not None or labels.labels_at is not None:
        return "labelled"
    return "drums" if labels.category in DRUM_CATEGORIES else "to be estimated"


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _statistics(lengths: np.ndarray) -> dict[str, float]:
    if not len(lengths):
        return {}
    values = {"min": lengths.min(), "median": np.median(lengths), "p95": np.quantile(lengths, 0.95), "max": lengths.max()}
    return {name: round(float(value), 6) for name, value in values.items()}


def _duplicates(usable: list[FileReport]) -> tuple[list[list[str]], list[list[str]]]:
    """Sets of files with identical audio, and sets of near-duplicates (in which an exact set is represented by its first file)."""
    by_digest: dict[bytes, list[str]] = {}
    for one in usable:
        by_digest.setdefault(one.digest, []).append(one.file)
    exact = [files for files in by_digest.values() if len(files) > 1]
    first = {files[0] for files in by_digest.values()}
    distinct = [one for one in usable if one.file in first]
    if len(distinct) < 2:
        return exact, []
    components = connected_components(len(distinct), near_pairs(np.stack([one.fingerprint for one in distinct])))
    near: dict[int, list[str]] = {}
    for one, component in zip(distinct, components.tolist(), strict=True):
        near.setdefault(component, []).append(one.file)
    return exact, [files for files in near.values() if len(files) > 1]


def _estimate_prepare_seconds(usable: list[FileReport]) -> float:
    """Estimated time of `prepare` on this machine, in s: a few files spread over the folder are prepared and their clips dropped."""
    sample = usable[:: max(1, len(usable) // _TIMED_FILES)][:_TIMED_FILES]
    clip_format = ClipFormat(SAMPLE_RATE, 1, "auto", CLIP_SECONDS)
    started, prepared_seconds = time.perf_counter(), 0.0
    for one in sample:
        if one.info is None or (one.seconds > 60 and prepared_seconds):
            continue
        frames = min(one.info.frames, round(60 * one.rate))
        result = prepare_unit(SourceUnit(one.path, one.file, one.info, frames=frames), clip_format)
        prepared_seconds += frames / one.rate if result.clips else 0.0
        if time.perf_counter() - started > 1.0:
            break
    took = time.perf_counter() - started
    return round(took * sum(one.seconds for one in usable) / max(prepared_seconds, 1e-3), 2) if prepared_seconds else 0.0
