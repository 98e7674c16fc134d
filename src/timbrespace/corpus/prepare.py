"""From a folder of sounds to a corpus, in one pass over the files and with memory that does not grow with them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.audio.files import find_audio
from timbrespace.contracts import CLIP_SECONDS, LONGEST_CLIP_SECONDS, SAMPLE_RATE, ConfigError, CorpusError
from timbrespace.corpus import layout
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.cutting import CUTS
from timbrespace.corpus.layout import SPLITS, ClipInfo
from timbrespace.corpus.manifest import Draft, describe
from timbrespace.corpus.sources import SYNTHETIC_PREFIX, Made, Shape, folder_units, make, ordered_map, relative, synthetic
from timbrespace.corpus.store import ArrayWriter, check_places, new_folder

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
    seed: int = 0,
    store_stft: bool = False,
    force: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Prepares a folder of sounds, or a synthetic corpus named 'synthetic:drums', as the corpus folder `out`.

    sample_rate: Hz. channels: 1 (mixed) or 2. cut: 'auto', 'keep', 'segments' or 'onsets', see `cutting`. rules: name pattern ->
    category. seed: of the split. progress(done, total) is called after each file. The result does not depend on `workers`.
    Bad files are skipped and listed in skipped.jsonl. Raises CorpusError (no usable sound), OutputExistsError, ConfigError,
    TimbrespaceError (full disk, no permission, a place that is refused).
    """
    shape = _check(sample_rate, channels, cut, segment_seconds, rules)
    out, text = Path(out), str(source)
    is_synthetic = text.startswith(SYNTHETIC_PREFIX)
    folder = None if is_synthetic else Path(source)
    check_places(folder, out, force=force)
    draft, root = Draft(), "" if folder is None else (folder.resolve().name or "folder")
    if folder is None:
        total, made = 0, synthetic(text, shape, seed=seed)
    else:
        files = _files(folder, draft)
        total = len(files)
        made = ordered_map(partial(make, shape=shape), folder_units(files, shape), workers=workers)
    with new_folder(out, force=force) as partial_out:
        _stream(made, partial_out, draft, shape, store_stft, total, progress)
        if not draft.rows:
            reasons = "; ".join(f"{row['file']}: {row['reason']}" for row in draft.skipped[:3])
            raise CorpusError(
                f"no usable sound in {source}: all {len(draft.skipped)} files were skipped ({reasons}); see `timbrespace doctor`"
            )
        clips = describe(draft, rules, seed, root=root, names_given=is_synthetic)
        options = {"cut": cut, "segment_seconds": segment_seconds, "rules": dict(rules or {}), "seed": seed}
        _finish(partial_out, draft, clips, shape, root or text, options, store_stft)
    return Corpus.open(out)


def _check(sample_rate: int, channels: int, cut: str, segment_seconds: float, rules: Mapping[str, str] | None) -> Shape:
    if not isinstance(sample_rate, int) or not 8_000 <= sample_rate <= 192_000:
        raise ConfigError(f"sample_rate is {sample_rate!r}, allowed is 8000 to 192000 Hz")
    if channels not in (1, 2):
        raise ConfigError(f"channels is {channels!r}, allowed are 1 (mixed) and 2")
    if cut not in CUTS:
        raise ConfigError(f"cut is {cut!r}, allowed are {', '.join(CUTS)}")
    if not 0.01 <= segment_seconds <= LONGEST_CLIP_SECONDS:
        raise ConfigError(f"segment_seconds is {segment_seconds!r}, allowed is 0.01 to {LONGEST_CLIP_SECONDS:g} s")
    for pattern, category in (rules or {}).items():
        if not pattern.strip() or not layout.label(category):
            raise ConfigError(f"the rule {category!r} = {pattern!r} needs a plain category and a pattern, such as kick=*bd*")
    return Shape(sample_rate, channels, cut, float(segment_seconds))


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


def _stream(
    made: Iterable[Made], folder: Path, draft: Draft, shape: Shape, store_stft: bool, total: int, progress: Progress | None
) -> None:
    """Writes clips as they come and notes what the manifest needs."""
    bins = STFT_SIZE // 2 + 1
    stft = ArrayWriter(folder / layout.STFT, (shape.channels, bins), "<c8") if store_stft else None
    done = 0
    with ArrayWriter(folder / layout.AUDIO, (shape.channels,), "<f4") as audio:
        for result in _closing(made):
            for clip in result.clips:
                audio.append(clip.audio.T)
                draft.offsets.append(audio.rows)
                draft.prints.append(clip.fingerprint)
                if stft is not None:
                    stft.append(_stft(clip.audio))
                    draft.stft_offsets.append(stft.rows)
                row = {"file": result.file, "start_s": round(clip.start_s, 6), "seconds": clip.audio.shape[1] / shape.sample_rate}
                row |= {"gain_db": round(clip.gain_db, 4), "source_rate": result.source_rate, "source_channels": result.source_channels}
                draft.rows.append(row | {"name": result.name, "category": result.category})
            if result.reason:
                draft.skipped.append({"file": result.file, "reason": result.reason})
            done += result.last
            if progress is not None and result.last:
                progress(done, total or done)
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


def _finish(
    folder: Path, draft: Draft, clips: list[ClipInfo], shape: Shape, source: str, options: dict[str, Any], store_stft: bool
) -> None:
    """Writes offsets, manifest, the list of skipped files and corpus.json."""
    offsets = np.array(draft.offsets, dtype="<i8")
    np.save(folder / layout.OFFSETS, offsets)
    manifest = "".join(json.dumps(asdict(clip), ensure_ascii=False, allow_nan=False) + "\n" for clip in clips).encode("utf-8")
    (folder / layout.MANIFEST).write_bytes(manifest)
    skipped = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in draft.skipped)
    (folder / layout.SKIPPED).write_bytes(skipped.encode("utf-8", "replace"))
    seconds = np.array([clip.seconds for clip in clips])
    categories = Counter(clip.category for clip in clips if clip.category is not None)
    splits = Counter(clip.split for clip in clips)
    head: dict[str, Any] = {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        "sample_rate": shape.sample_rate,
        "channels": shape.channels,
        "clips": len(clips),
        "longest_seconds": float(seconds.max()),
        "clip_seconds": round(float(np.clip(np.quantile(seconds, 0.95), CLIP_SECONDS, LONGEST_CLIP_SECONDS)), 6),
        "source": source,
        "options": options,
        "categories": dict(sorted(categories.items())),
        "uncategorised": len(clips) - categories.total(),
        "groups": len({clip.group for clip in clips}),
        "splits": {name: splits[name] for name in SPLITS},
        "skipped": len(draft.skipped),
        "fingerprint": hashlib.sha256(manifest + offsets.tobytes()).hexdigest(),
    }
    if store_stft:
        np.save(folder / layout.STFT_OFFSETS, np.array(draft.stft_offsets, dtype="<i8"))
        head["stft"] = {"n_fft": STFT_SIZE, "hop": STFT_HOP, "window": "hann, periodic", "centred": True, "padding": "zeros"}
    text = json.dumps(head, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    (folder / layout.HEAD).write_bytes(text.encode("utf-8", "replace"))
