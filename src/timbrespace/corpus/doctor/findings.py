"""Findings about a folder: what is wrong, in how many files, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from timbrespace.audio.files import UNOPENED
from timbrespace.contracts import LONGEST_CLIP_SECONDS
from timbrespace.corpus.doctor.file_report import FileReport
from timbrespace.corpus.doctor.long_files import long_file_findings
from timbrespace.corpus.doctor.report import LEVELS, Finding, Report
from timbrespace.wording import counted, predicate, pronouns

_QUIET_PEAK = 10 ** (-30 / 20)
_LEAD_SECONDS = 0.05
_DULL_RATE = 32_000  # Hz
_FEW_FILES, _FEW_IN_CATEGORY = 8, 3
_SHOWN, _SHOWN_OF_SET = 20, 4  # file names kept with a finding, and of a set of equal files


class _Check(NamedTuple):
    """A check of single files: applies(file) is True for the files of the finding."""

    kind: str
    level: Literal["problem", "advice", "note"]
    applies: Callable[[FileReport], bool]
    what: str
    do: str


def _has_remark(file: FileReport, kind: str) -> bool:
    return any(remark.kind == kind for remark in file.remarks)


_CHECKS = (
    _Check(
        "silent",
        "problem",
        lambda one: one.silent,
        "contain only silence",
        "they are skipped; remove them, or export them again",
    ),
    _Check(
        "clipped",
        "advice",
        lambda one: one.clipped,
        "are clipped (flat tops at full scale)",
        "the instrument learns the distortion too; if you do not want it, export them again at a lower level",
    ),
    _Check(
        "cut",
        "advice",
        lambda one: _has_remark(one, "cut"),
        "may lack a part of their sound",
        "listen to them; if something is missing, get a complete copy (the reasons are listed)",
    ),
    _Check(
        "extra",
        "advice",
        lambda one: _has_remark(one, "extra"),
        "contain more than their header says",
        "listen to them; if you need the rest, convert them to WAV with a program that reads it (the reasons are listed)",
    ),
    _Check(
        "streamed",
        "note",
        lambda one: _has_remark(one, "streamed"),
        "have no length in their header (streamed, or an interrupted recording)",
        "nothing: they are read to their end",
    ),
    _Check(
        "cancels",
        "advice",
        lambda one: one.cancels and not one.silent,
        "cancel when mixed to mono",
        "nothing: prepare inverts one of two channels, and uses the loudest of more; --channels 2 keeps both unchanged",
    ),
    _Check(
        "dull",
        "advice",
        lambda one: one.reason is None and one.rate < _DULL_RATE,
        f"have a sample rate below {_DULL_RATE // 1000} kHz and so no high frequencies",
        "use versions with a higher sample rate if there are any",
    ),
    _Check(
        "dc",
        "note",
        lambda one: one.offset > 0 and not one.silent,
        "have a DC offset",
        "nothing: prepare removes it",
    ),
    _Check(
        "quiet",
        "note",
        lambda one: one.reason is None and not one.silent and one.peak < _QUIET_PEAK,
        "peak below -30 dBFS",
        "nothing: prepare normalises them; check that their noise is acceptable then",
    ),
    _Check(
        "late",
        "note",
        lambda one: one.reason is None and not one.silent and one.lead_seconds > _LEAD_SECONDS,
        f"start with more than {_LEAD_SECONDS * 1000:.0f} ms of silence",
        "nothing: prepare trims them to the onset",
    ),
    _Check(
        "long",
        "note",
        lambda one: one.seconds > LONGEST_CLIP_SECONDS and not one.silent,
        f"are longer than {LONGEST_CLIP_SECONDS:g} s",
        "nothing: prepare cuts them at onsets or into segments; --cut keep, segments or onsets sets one way for all",
    ),
)


def find_problems(report: Report, files: list[FileReport]) -> list[Finding]:
    """All findings about a folder, problems first. files: the reports of all its files."""
    out: list[Finding] = []
    others = [row["file"] for row in report.unreadable if row["reason"] in UNOPENED.values()]
    names = [row["file"] for row in report.unreadable if row["reason"] not in UNOPENED.values()]
    if names:
        do = "they are skipped, and everything else works; the reasons are listed below"
        out.append(Finding("problem", "unreadable", len(names), "cannot be read", do, names[:_SHOWN]))
    if others:
        do = "nothing, unless you need the sounds in them; the reasons are listed below"
        out.append(Finding("note", "unopened", len(others), "may hold sounds but are not opened", do, others[:_SHOWN]))
    if report.tables:
        names = [f"{row['file']}: {row['reason']}" for row in report.tables]
        do = "they are left out; add the missing files or repair the lines, or read the folder without tables (--layout folder)"
        what = f"of the {report.layout} tables cannot be used as they are"
        out.append(Finding("problem", "tables", len(names), what, do, names[:_SHOWN]))
    for check in _CHECKS:
        names = [one.file for one in files if check.applies(one)]
        if names:
            out.append(Finding(check.level, check.kind, len(names), check.what, check.do, names[:_SHOWN]))
    copies, alike = (
        ("is an exact copy of another", "are exact copies of others"),
        ("is nearly the same as another", "are nearly the same as others"),
    )
    out += _duplicates("exact", report.exact_duplicates, copies, "remove the copies: each counts twice in training")
    out += _duplicates("near", report.near_duplicates, alike, "nothing: prepare keeps such files in one split")
    out += long_file_findings(report)
    out += _pitch_names(report)
    out += _counts(report)
    out = [replace(one, what=predicate(one.count, one.what), do=pronouns(one.count, one.do)) for one in out]
    return sorted(out, key=lambda one: LEVELS.index(one.level))


def _duplicates(kind: Literal["exact", "near"], sets: list[list[str]], what: tuple[str, str], do: str) -> list[Finding]:
    if not sets:
        return []
    extra = sum(len(files) - 1 for files in sets)
    level: Literal["advice", "note"] = "advice" if kind == "exact" else "note"
    return [
        Finding(level, kind, extra, f"{what[extra > 1]} ({counted(len(sets), 'set')})", do, [_joined(files) for files in sets[:_SHOWN]])
    ]


def _joined(files: list[str]) -> str:
    """'a.wav = b.wav'; of a large set the first files and the number of all: the report lists the sets whole elsewhere."""
    return " = ".join(files[:_SHOWN_OF_SET]) + (f" = … ({len(files)} files)" if len(files) > _SHOWN_OF_SET else "")


def _pitch_names(report: Report) -> list[Finding]:
    """Findings about pitches in names that the sound does not confirm as written."""
    out: list[Finding] = []
    choose = "--pitch-names c4, c3 or c5 reads them by this name of middle C without comparing, off reads none"
    for vote in report.pitch_names:
        if not vote["used"]:
            do = f"nothing: pitches are estimated from the sound (except of drums); {choose}"
            out.append(Finding("note", "names without pitch", vote["files"], f"have a name that looks like a pitch; {vote['text']}", do))
        elif vote["octaves"] or vote["by_folder"]:
            do = f"nothing: prepare corrects the octave; {choose}"
            out.append(Finding("note", "octave of names", vote["files"], f"have a pitch in their name; {vote['text']}", do))
        if vote["contradicted"]:
            names = vote["contradicted"]
            do = f"nothing: prepare uses the pitch of the sound; {choose}"
            out.append(Finding("note", "pitch contradicted", len(names), "have another pitch than their name says", do, names[:_SHOWN]))
    return out


def _counts(report: Report) -> list[Finding]:
    """Findings about too few files, missing categories and rare categories."""
    out = []
    exact_repeats = sum(len(files) - 1 for files in report.exact_duplicates)
    different = report.usable - exact_repeats - sum(len(files) - 1 for files in report.near_duplicates)
    if report.usable < 2:
        out.append(Finding("problem", "too few", report.usable, "can be used", "training needs at least 2 sounds; add more"))
    elif report.usable - exact_repeats < 2:
        what = f"can be used, and all hold the same sound: 1 sound among {report.usable} files"
        out.append(Finding("problem", "one sound", report.usable, what, "training needs at least 2 different sounds; add others"))
    elif different < min(report.usable, _FEW_FILES):
        what = f"different sound{'s' if different > 1 else ''} among {report.usable} files, which is few: the others repeat them"
        do = "new sounds stay close to these, and novelty may not be measurable; add other sounds: 50 or more give variety"
        out.append(Finding("advice", "few", different, what, do))
    elif report.usable < _FEW_FILES:
        do = "training works, but new sounds stay close to these; 50 or more give variety"
        out.append(Finding("advice", "few", report.usable, "can be used, which is few", do))
    if report.folder_categories:
        table = ", ".join(f"{kind} {count}" for kind, count in list(report.folder_categories.items())[:_SHOWN])
        more = f" and {len(report.folder_categories) - _SHOWN} more" if len(report.folder_categories) > _SHOWN else ""
        do = f"nothing, or prepare or train with rules, as in --rule {report.folder_rule}; by folder: {table}{more}"
        count = sum(report.folder_categories.values())
        out.append(Finding("note", "folder categories", count, "have the name of their folder as category", do))
    if report.uncategorised:
        do = "sort them into folders named by category, or prepare or train with --rule 'kick=*bd*'; training works without categories too"
        out.append(Finding("note", "uncategorised", report.uncategorised, "have no category in their folder or file name", do))
    rare = [kind for kind, count in report.categories.items() if count < _FEW_IN_CATEGORY]
    if rare:
        do = f"merge them into others with --rule (of prepare and train), or add more: {', '.join(rare[:8])}"
        count = int(np.sum([report.categories[kind] for kind in rare]))
        what = "is the only one of its category" if count == 1 else "are in categories of 1 or 2 sounds"
        out.append(Finding("note", "rare categories", count, what, do))
    return out
