"""A folder of sounds, or a synthetic corpus, becomes a corpus folder: one pass over the files, with constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace import __version__
from timbrespace.audio.files import find_audio
from timbrespace.contracts import CLIP_SECONDS, SAMPLE_RATE, CorpusError
from timbrespace.corpus import format as names
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.collect import collect_labels
from timbrespace.corpus.labels.pitch_names import Estimate, NameVote, check_mode, check_pitch_names
from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.manifest import Draft, DraftClip, build_manifest
from timbrespace.corpus.prepared.records import FileRecord, write_records
from timbrespace.corpus.prepared.unchanged import Unchanged
from timbrespace.corpus.selection import LabelFilter, check_format, check_selection, keep_most_diverse
from timbrespace.corpus.sources import (
    ClipFormat,
    PreparedClip,
    SourceUnit,
    UnitResult,
    folder_units,
    named_files,
    prepare_unit,
    relative_name,
)
from timbrespace.corpus.summary import write_summary
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX, recipe_of
from timbrespace.corpus.synthetic_source import synthetic_units
from timbrespace.corpus.writer import ArrayWriter, check_output, new_folder
from timbrespace.parallel import closed_after, ordered_map
from timbrespace.paths import is_folder

STFT_SIZE, STFT_HOP = 1024, 256  # samples; of the optional stored STFT
Progress = Callable[[int, int], None]


def prepare(
    source: Path | str,
    out: Path | str,
    *,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
    cut: str = "auto",
    segment_seconds: float = CLIP_SECONDS,
    rules: Mapping[str, str] | None = None,
    layout: str = "auto",
    only: Sequence[str] = (),
    pitch: bool = True,
    pitch_names: str = "auto",
    count: int | None = None,
    diverse: int | None = None,
    diverse_rule: str = "nearest",
    seed: int = 0,
    store_stft: bool = False,
    force: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    unchanged: Unchanged | None = None,
) -> Corpus:
    """Prepares a folder of sounds, or a synthetic corpus such as 'synthetic:drums', as the corpus folder `out`, and opens it.

    sample_rate: Hz. channels: 1 (mixed) or 2. cut: 'auto', 'keep', 'segments' or 'onsets', see `cutting`. rules: name pattern ->
    category. layout: 'auto', 'folder' or the name of a corpus whose tables are read, see `labels.readers.registry`. only: categories
    or instruments to keep. pitch: estimate it where neither labels nor names give one (except for drums). pitch_names: how pitches
    in names are read, see `labels.pitch_names`; without `pitch`, 'auto' reads them as 'c4'. count: clips of a synthetic corpus.
    diverse: number of clips to keep, the most diverse ones. diverse_rule: 'mean' or 'nearest', see `diversity`. seed: of the split,
    and of synthetic sounds. progress(done, total) is called after each file. The result does not depend on `workers`.
    unchanged: of an earlier corpus, see `prepared.update.update`.

    Bad files are skipped and listed in skipped.jsonl. Raises CorpusError (no usable sound, an unusable table), OutputExistsError,
    ConfigError, TimbrespaceError (full disk, no permission, an output folder that is refused).
    """
    clip_format = check_format(sample_rate, channels, cut, segment_seconds, rules)
    out, text = Path(out), str(source)
    folder = None if text.startswith(SYNTHETIC_PREFIX) else Path(source)
    check_selection(layout, only, count, diverse, diverse_rule, synthetic_name=text if folder is None else None)
    check_mode(pitch_names)
    check_output(folder, out, force=force)
    job = _Job(clip_format, LabelFilter(only), store_stft=store_stft, progress=progress, unchanged=unchanged)
    if folder is None:
        results = _synthetic_results(job, text, rules, seed=seed, count=count, compare=diverse is not None)
    else:
        mode = "c4" if pitch_names == "auto" and not pitch else pitch_names
        results = _folder_results(job, folder, rules, layout, pitch=pitch, pitch_names=mode, compare=diverse is not None, workers=workers)
    name = text if folder is None else folder.resolve().name or "folder"
    with new_folder(out, force=force) as partial_out:
        _write_clips(results, partial_out, job)
        if unchanged is not None:
            unchanged.close()
        if folder is not None:
            write_records(partial_out, job.ordered_records())
        draft = job.draft
        if folder is not None:
            _check_still_there(folder, job)
        job.filter.check_seen(source)
        if not draft.clips:
            reasons = "; ".join(f"{row['file']}: {row['reason']}" for row in draft.skipped[:3])
            raise CorpusError(
                f"no usable sound in {source}: all {len(draft.skipped)} files were skipped ({reasons}); see `timbrespace doctor`"
            )
        if diverse is not None:
            keep_most_diverse(partial_out, draft, diverse, diverse_rule, store_stft=store_stft)
        options = {"cut": cut, "segment_seconds": segment_seconds, "rules": dict(rules or {}), "seed": seed, "layout": layout}
        options |= {"only": list(only), "pitch": pitch, "count": count, "diverse": diverse, "diverse_rule": diverse_rule}
        options |= {"pitch_names": pitch_names}
        head: dict[str, Any] = {
            "made_with": f"timbrespace {__version__}",
            "sample_rate": sample_rate,
            "channels": channels,
            "source": name,
            "layout": job.layout,
            "options": options,
        }
        if job.name_votes:
            head["pitch_names"] = [vote.as_dict() for vote in job.name_votes]
        if store_stft:
            np.save(partial_out / names.STFT_OFFSETS, np.array(draft.stft_offsets, dtype="<i8"))
            head["stft"] = {"n_fft": STFT_SIZE, "hop": STFT_HOP, "window": "hann, periodic", "centred": True, "padding": "zeros"}
        clips = build_manifest(draft, seed=seed)
        write_summary(partial_out, clips, draft.offsets, head=head, skipped=draft.skipped, left_out=draft.left_out, remarks=draft.remarks)
    return Corpus.open(out)


@dataclass
class _Job:
    """The state of one run of `prepare`. total: number of files. layout: whose tables were read.

    name_votes: how pitches in names are read.
    """

    clip_format: ClipFormat
    filter: LabelFilter
    store_stft: bool
    progress: Progress | None
    draft: Draft = field(default_factory=Draft)
    total: int = 0
    layout: str = "folder"
    name_votes: list[NameVote] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)  # relative name -> path
    unchanged: Unchanged | None = None
    records: dict[str, FileRecord] = field(default_factory=dict)
    estimates: dict[str, Estimate] = field(default_factory=dict)

    def prepared(self, unit: SourceUnit) -> UnitResult:
        """The clips of a unit, from the earlier corpus if its file has not changed; keeps the record of the file."""
        known = None if self.unchanged is None else self.unchanged.record(unit.file)
        if self.unchanged is not None and known is not None:
            self.records[unit.file] = known
            return self.unchanged.result(unit)
        if unit.start == 0:
            with suppress(OSError):  # a file that cannot be read is listed as skipped
                self.records[unit.file] = FileRecord.of(unit.path, unit.file)
        return prepare_unit(unit, self.clip_format)

    def ordered_records(self) -> dict[str, FileRecord]:
        """The records in the order of the files, with the pitches that were estimated for their names."""
        return {file: replace(self.records[file], estimate=self.estimates.get(file)) for file in self.files if file in self.records}


def _synthetic_results(
    job: _Job, name: str, rules: Mapping[str, str] | None, *, seed: int, count: int | None, compare: bool
) -> Iterator[UnitResult]:
    recipe = recipe_of(name)
    job.layout, job.total, job.draft.separate = "synthetic", count or recipe.count, recipe.as_is
    return synthetic_units(name, job.clip_format, seed=seed, count=count, compare=compare or not recipe.as_is, rules=rules)


def _folder_results(
    job: _Job,
    folder: Path,
    rules: Mapping[str, str] | None,
    layout: str,
    *,
    pitch: bool,
    pitch_names: str,
    compare: bool,
    workers: int | None,
) -> Iterator[UnitResult]:
    """Finds the files, collects their labels, and prepares the accepted ones; others are not read."""
    draft = job.draft
    files = _find_files(folder, draft)
    tables = read_labels(folder, frozenset(file for _, file in files), layout=layout)
    job.layout = tables.layout
    draft.skipped += tables.problems
    files = [(path, file) for path, file in files if file not in tables.refused]
    labels = collect_labels([file for _, file in files], tables, rules, root=folder.resolve().name or "folder")
    readable = {file: path for path, file in files}
    if job.unchanged is not None:
        job.unchanged.find(readable)
        job.estimates.update(job.unchanged.estimates)
    labels, job.name_votes = check_pitch_names(labels, tables, readable, mode=pitch_names, workers=workers, cache=job.estimates)
    draft.labels = labels
    accepted = [(path, file) for path, file in files if job.filter.accepts(labels[file])]
    job.filter.check_seen(folder)
    if job.filter.only:
        kept = {file for _, file in accepted}
        draft.left_out += [_other_category(file) for _, file in files if file not in kept]
    job.total, job.files = len(accepted), {file: path for path, file in accepted}
    units = folder_units(
        accepted,
        job.clip_format,
        pitch=lambda file: pitch and _needs_pitch(file, labels[file], tables),
        compare=lambda file: compare or labels[file].group is None,
        whole=lambda file: job.unchanged is not None and job.unchanged.record(file) is not None,
    )
    return ordered_map(job.prepared, units, workers=workers)


def _check_still_there(folder: Path, job: _Job) -> None:
    """Raises CorpusError if the folder, or more than half of its files, vanished while they were read: a corpus would be a part of it."""
    gone = [row["file"] for row in job.draft.skipped if row["file"] in job.files and not os.path.lexists(job.files[row["file"]])]
    if not is_folder(folder) or len(gone) > len(job.files) / 2:
        raise CorpusError(f"{folder} vanished while it was read; check that its drive is connected, and start again")


def _needs_pitch(file: str, labels: FileLabels, tables: CorpusLabels) -> bool:
    """Whether the pitch of a file is to be estimated: it has none, is not a drum, and its tables allow it."""
    allowed = tables.estimate_pitch or file not in tables.files
    return allowed and labels.pitch is None and labels.category not in DRUM_CATEGORIES


def _other_category(file: str) -> dict[str, Any]:
    return {"file": file, "start_s": 0.0, "reason": "another category"}


def _find_files(folder: Path, draft: Draft) -> list[tuple[Path, str]]:
    """(path, relative name) of every sound file; unreadable ones are noted in the draft. Raises CorpusError if there is none."""
    problems: list[tuple[Path, str]] = []
    paths = find_audio(folder, problems=problems)
    if not paths:
        if is_corpus(folder):
            raise CorpusError(f"{folder} is a prepared corpus already; give it to `timbrespace train` as it is")
        more = f" ({problems[0][0].name}: {problems[0][1]})" if problems else ""
        raise CorpusError(f"there are no sound files in {folder}{more}; give a folder with WAV, AIFF, FLAC, OGG or MP3 files")
    draft.skipped += [{"file": relative_name(path, folder), "reason": reason} for path, reason in problems]
    return named_files(paths, folder)


def _write_clips(results: Iterable[UnitResult], folder: Path, job: _Job) -> None:
    """Writes the audio of clips as they are prepared, and collects in the draft what the manifest needs."""
    draft, done = job.draft, 0
    stft = ArrayWriter(folder / names.STFT, (job.clip_format.channels, STFT_SIZE // 2 + 1), "<c8") if job.store_stft else None
    with ArrayWriter(folder / names.AUDIO, (job.clip_format.channels,), "<f4") as audio:
        for result in closed_after(results):
            if result.labels is None or job.filter.accepts(result.labels):
                if result.labels is not None:
                    draft.labels[result.file], draft.names[result.file] = result.labels, result.name
                for clip in result.clips:
                    audio.append(clip.audio.T)
                    draft.offsets.append(audio.rows)
                    if stft is not None:
                        stft.append(_stft(clip.audio))
                        draft.stft_offsets.append(stft.rows)
                    draft.clips.append(_draft_clip(clip, result, job.clip_format.sample_rate))
            else:
                draft.left_out.append(_other_category(result.file))
            if result.reason:
                draft.skipped.append({"file": result.file, "reason": result.reason})
            remarks = [{"file": result.file, "kind": one.kind, "text": one.text} for one in result.remarks]
            draft.remarks += [remark for remark in remarks if remark not in draft.remarks[-8:]]  # once for all units of a file
            done += result.last
            if job.progress is not None and result.last:
                job.progress(done, job.total or done)
    if stft is not None:
        stft.__exit__(None, None, None)


def _draft_clip(clip: PreparedClip, result: UnitResult, rate: int) -> DraftClip:
    return DraftClip(
        result.file,
        round(clip.start_s, 6),
        clip.audio.shape[1] / rate,
        round(clip.gain_db, 4),
        result.source_rate,
        result.source_channels,
        clip.pitch,
        clip.pitch_confidence,
        clip.fingerprint,
    )


def _stft(clip: np.ndarray) -> np.ndarray:
    """STFT of a clip, `(channels, time) -> (frames, channels, bins)` complex64."""
    import torch

    from timbrespace.audio.stft import stft

    return stft(torch.from_numpy(clip)[None], n_fft=STFT_SIZE, hop=STFT_HOP)[0].permute(2, 0, 1).numpy()
