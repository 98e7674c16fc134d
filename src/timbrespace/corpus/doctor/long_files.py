"""How many clips `prepare` would cut from each file, and which files are so long that training limits what they count."""

from __future__ import annotations

from collections.abc import Sequence

from timbrespace.contracts import CLIP_SECONDS, LONGEST_CLIP_SECONDS, SAMPLE_RATE
from timbrespace.corpus.doctor.file_report import FileReport
from timbrespace.corpus.doctor.report import Finding, Report
from timbrespace.corpus.prepared.weights import FILE_LIMIT, clip_weights, long_files
from timbrespace.corpus.sources import ClipFormat, folder_units, prepare_unit
from timbrespace.parallel import ordered_map

_CUT_SECONDS = 1_800.0  # of long files that are cut to count their clips; those of further files are estimated
_SHOWN = 20


def clip_counts(usable: Sequence[FileReport], *, workers: int | None = None) -> dict[str, int]:
    """The number of clips of each usable file, as `prepare` cuts it by default.

    Files longer than a clip are cut to count them, half an hour of sound in all; beyond, a file is estimated as segments of 2 s.
    """
    clip_format = ClipFormat(SAMPLE_RATE, 1, "auto", CLIP_SECONDS)
    counts = {one.file: 1 if one.seconds <= LONGEST_CLIP_SECONDS else max(1, round(one.seconds / CLIP_SECONDS)) for one in usable}
    left, chosen = _CUT_SECONDS, []
    for one in usable:
        if one.seconds > LONGEST_CLIP_SECONDS and one.seconds <= left:
            chosen.append((one.path, one.file))
            left -= one.seconds
    cut = dict.fromkeys((file for _, file in chosen), 0)
    units = folder_units(chosen, clip_format, compare=lambda file: False)
    for file, count in ordered_map(lambda unit: (unit.file, len(prepare_unit(unit, clip_format).clips)), units, workers=workers):
        cut[file] += count
    return counts | {file: max(1, count) for file, count in cut.items()}


def long_file_findings(report: Report) -> list[Finding]:
    """The finding about files whose clips training counts like a few sounds, by `report.clips_by_file`; empty if there are none."""
    files = [file for file, count in report.clips_by_file.items() for _ in range(count)]
    # names of files with one clip do not matter; "." is the name of no file
    files += [f"./{number}" for number in range(report.clips - len(files))]
    weights = clip_weights(files)
    found = long_files(files, weights)
    if found is None:
        return []
    limited = {file: report.clips_by_file[file] for file, weight in zip(files, weights, strict=True) if weight < 1}
    names = [f"{file}: {count} clips" for file, count in sorted(limited.items(), key=lambda item: -item[1])]
    largest = f", {found.largest[0]} alone {found.largest[1]}" if found.files > 1 else ""
    what = f"are long, and would be {found.clips} of all {len(files)} clips{largest}"
    sounds = f"{max(1, round(found.counted))} sound{'s' if found.counted >= 1.5 else ''}"
    do = (
        f"nothing: in training, new sounds and map their clips count like {sounds} together, at most {FILE_LIMIT:g} a file; "
        "if the parts are separate sounds, export these as files, or train with --set training.file_limit=null"
    )
    return [Finding("advice", "long files", found.files, what, do, names[:_SHOWN])]
