"""From a folder of sounds to a corpus, in one pass over the files and with memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.audio.files import find_audio
from timbrespace.contracts import CLIP_SECONDS, SAMPLE_RATE, CorpusError
from timbrespace.corpus import rows as places
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.readers.registry import read_labels
from timbrespace.corpus.manifest import Draft, DraftClip, describe, know
from timbrespace.corpus.selection import Wanted, check_choice, check_shape, keep_diverse
from timbrespace.corpus.sources import SYNTHETIC_PREFIX, Made, Shape, folder_units, make, ordered_map, relative
from timbrespace.corpus.summary import write_figures
from timbrespace.corpus.synthetic_source import synthetic
from timbrespace.corpus.writer import ArrayWriter, check_places, new_folder

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
    count: int | None = None,
    diverse: int | None = None,
    diverse_rule: str = "nearest",
    seed: int = 0,
    store_stft: bool = False,
    force: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Prepares a folder of sounds, or a synthetic corpus named 'synthetic:drums', as the corpus folder `out`.

    sample_rate: Hz. channels: 1 (mixed) or 2. cut: 'auto', 'keep', 'segments' or 'onsets', see `cutting`. rules: name pattern ->
    category. layout: 'auto', 'folder' or the name of a corpus whose own tables are read, see `readers.registry`. only: categories or
    instruments to keep, all others are left out. pitch: estimate it where neither labels nor names tell it (not of drums). count:
    clips of a synthetic corpus. diverse: keep so many of the clips, the most diverse ones; diverse_rule: 'mean' or 'nearest', see
    `diversity`. seed: of the split. progress(done, total) is called after each file. The result does not depend on `workers`.
    Bad files are skipped and listed in skipped.jsonl. Raises CorpusError (no usable sound, an unusable table), OutputExistsError,
    ConfigError, TimbrespaceError (full disk, no permission, a place that is refused).
    """
    shape = check_shape(sample_rate, channels, cut, segment_seconds, rules)
    out, text = Path(out), str(source)
    folder = None if text.startswith(SYNTHETIC_PREFIX) else Path(source)
    check_choice(layout, only, count, diverse, diverse_rule, synthetic_name=text if folder is None else None)
    check_places(folder, out, force=force)
    job = _Job(shape, Wanted(only), store_stft=store_stft, progress=progress)
    if folder is None:
        made = _synthesised(job, text, rules, seed=seed, count=count, compare=diverse is not None)
    else:
        made = _read(job, folder, rules, layout, pitch=pitch, compare=diverse is not None, workers=workers)
    root = text if folder is None else folder.resolve().name or "folder"
    with new_folder(out, force=force) as partial_out:
        _stream(made, partial_out, job)
        draft = job.draft
        job.wanted.check(source)
        if not draft.clips:
            reasons = "; ".join(f"{row['file']}: {row['reason']}" for row in draft.skipped[:3])
            raise CorpusError(
                f"no usable sound in {source}: all {len(draft.skipped)} files were skipped ({reasons}); see `timbrespace doctor`"
            )
        if diverse is not None:
            keep_diverse(partial_out, draft, diverse, diverse_rule, store_stft=store_stft)
        options = {"cut": cut, "segment_seconds": segment_seconds, "rules": dict(rules or {}), "seed": seed, "layout": layout}
        options |= {"only": list(only), "pitch": pitch, "count": count, "diverse": diverse, "diverse_rule": diverse_rule}
        head: dict[str, Any] = {"sample_rate": sample_rate, "channels": channels, "source": root, "layout": job.layout, "options": options}
        if store_stft:
            np.save(partial_out / places.STFT_OFFSETS, np.array(draft.stft_offsets, dtype="<i8"))
            head["stft"] = {"n_fft": STFT_SIZE, "hop": STFT_HOP, "window": "hann, periodic", "centred": True, "padding": "zeros"}
        clips = describe(draft, seed=seed)
        write_figures(partial_out, clips, draft.offsets, head=head, skipped=draft.skipped, left_out=draft.left_out)
    return Corpus.open(out)


@dataclass
class _Job:
    shape: Shape
    wanted: Wanted
    store_stft: bool
    progress: Progress | None
    draft: Draft = field(default_factory=Draft)
    total: int = 0
    layout: str = "folder"


def _synthesised(job: _Job, name: str, rules: Mapping[str, str] | None, *, seed: int, count: int | None, compare: bool) -> Iterator[Made]:
    from timbrespace.corpus.synthetic.registry import recipe_of

    recipe = recipe_of(name)
    job.layout, job.total, job.draft.alone = "synthetic", count or recipe.count, recipe.as_is
    return synthetic(name, job.shape, seed=seed, count=count, compare=compare or not recipe.as_is, rules=rules)


def _read(
    job: _Job, folder: Path, rules: Mapping[str, str] | None, layout: str, *, pitch: bool, compare: bool, workers: int | None
) -> Iterator[Made]:
    """Finds the files and what is known of them; what is not wanted is not read."""
    draft = job.draft
    files = _files(folder, draft)
    listing = read_labels(folder, frozenset(file for _, file in files), layout=layout)
    job.layout = listing.layout
    draft.skipped += listing.problems
    files = [(path, file) for path, file in files if file not in listing.refused]
    draft.known = known = know([file for _, file in files], listing, rules, root=folder.resolve().name or "folder")
    kept = [(path, file) for path, file in files if job.wanted.keeps(known[file])]
    job.wanted.check(folder)
    if job.wanted.only:
        there = {file for _, file in kept}
        draft.left_out += [{"file": file, "start_s": 0.0, "reason": "another category"} for _, file in files if file not in there]

    def silent(file: str) -> bool:
        labels = known[file]
        estimate = listing.estimate or file not in listing.files
        return pitch and estimate and labels.pitch is None and labels.category not in DRUM_CATEGORIES

    job.total = len(kept)
    units = folder_units(kept, job.shape, pitch=silent, compare=lambda file: compare or known[file].group is None)
    return ordered_map(partial(make, shape=job.shape), units, workers=workers)


def _files(folder: Path, draft: Draft) -> list[tuple[Path, str]]:
    problems: list[tuple[Path, str]] = []
    paths = find_audio(folder, problems=problems)
    if not paths:
        if is_corpus(folder):
            raise CorpusError(f"{folder} is a prepared corpus already; give it to `timbrespace train` as it is")
        more = f" ({problems[0][0].name}: {problems[0][1]})" if problems else ""
        raise CorpusError(f"there are no sound files in {folder}{more}; give a folder with WAV, AIFF, FLAC, OGG or MP3 files")
    draft.skipped += [{"file": relative(path, folder), "reason": reason} for path, reason in problems]
    return [(path, relative(path, folder)) for path in paths]


def _stream(made: Iterable[Made], folder: Path, job: _Job) -> None:
    """Writes clips as they come and notes what the manifest needs."""
    draft, rate, done = job.draft, job.shape.sample_rate, 0
    bins = STFT_SIZE // 2 + 1
    stft = ArrayWriter(folder / places.STFT, (job.shape.channels, bins), "<c8") if job.store_stft else None
    with ArrayWriter(folder / places.AUDIO, (job.shape.channels,), "<f4") as audio:
        for result in _closing(made):
            if result.labels is None or job.wanted.keeps(result.labels):
                if result.labels is not None:
                    draft.known[result.file], draft.names[result.file] = result.labels, result.name
                for clip in result.clips:
                    audio.append(clip.audio.T)
                    draft.offsets.append(audio.rows)
                    if stft is not None:
                        stft.append(_stft(clip.audio))
                        draft.stft_offsets.append(stft.rows)
                    row = DraftClip(
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
                    draft.clips.append(row)
            else:
                draft.left_out.append({"file": result.file, "start_s": 0.0, "reason": "another category"})
            if result.reason:
                draft.skipped.append({"file": result.file, "reason": result.reason})
            done += result.last
            if job.progress is not None and result.last:
                job.progress(done, job.total or done)
    if stft is not None:
        stft.__exit__(None, None, None)


def _closing(made: Iterable[Made]) -> Iterator[Made]:
    """Passes results on; when the reader stops early (Ctrl-C, full disk) the worker threads are stopped too."""
    try:
        yield from made
    finally:
        if hasattr(made, "close"):
            made.close()


def _stft(clip: np.ndarray) -> np.ndarray:
    """(channels, time) -> (frames, channels, bins) complex64."""
    import torch

    from timbrespace.audio.stft import stft

    return stft(torch.from_numpy(clip)[None], n_fft=STFT_SIZE, hop=STFT_HOP)[0].permute(2, 0, 1).numpy()
