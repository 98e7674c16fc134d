"""The work of `timbrespace represent --back`: arrays, images and stacks of features are decoded to audio files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrespace.audio.files import write
from timbrespace.contracts import FeatureFileError, TimbrespaceError
from timbrespace.corpus.labels.values import is_relative_path
from timbrespace.features.arrays import load_features
from timbrespace.features.header import STACK_FORMAT, header_path, is_header, read_header
from timbrespace.features.stack import Stack, load_stack
from timbrespace.parallel import ordered_map


@dataclass(frozen=True)
class DecodeJob:
    """A file of features, or clip `index` of a stack, and the audio file it is decoded to."""

    source: Path
    target: Path
    stack: Stack | None = None
    index: int = 0


def find_jobs(sources: Sequence[Path], out: Path) -> tuple[list[DecodeJob], list[dict[str, str]]]:
    """Returns what to decode, and {"file", "reason"} of files that cannot be decoded. Arrays of a folder keep their relative names.

    Raises FeatureFileError if a folder holds no features or two files have the same target.
    """
    skipped: list[dict[str, str]] = []
    jobs: dict[Path, DecodeJob] = {}
    for source in sources:
        for path, name in _header_files(source):
            try:
                found = _jobs_of(path, name, out)
            except FeatureFileError as error:
                skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
                continue
            for job in found:
                if job.target in jobs:
                    first = jobs[job.target].source
                    raise FeatureFileError(f"{job.source} and {first} would both be written to {job.target}; write them into two folders")
                jobs[job.target] = job
    return list(jobs.values()), skipped


def decode_features(jobs: Sequence[DecodeJob], *, subtype: str, seed: int, force: bool) -> Iterator[dict[str, Any]]:
    """Writes the audio file of every job; yields source, written file and seconds, or {"file", "reason"} if it cannot be decoded.

    Raises TimbrespaceError (full disk).
    """

    def work(job: DecodeJob) -> dict[str, Any]:
        try:
            return _decode(job, subtype=subtype, seed=seed, force=force)
        except TimbrespaceError as error:
            if not isinstance(error, FeatureFileError | ValueError):  # a full disk ends the run
                raise
            return {"file": str(job.source), "reason": str(error).removeprefix(f"{job.source}: ")}
        except MemoryError:
            return {"file": str(job.source), "reason": "too long for the memory of this machine"}

    yield from ordered_map(work, jobs, workers=min(2, os.cpu_count() or 1, len(jobs) or 1))


def _decode(job: DecodeJob, *, subtype: str, seed: int, force: bool) -> dict[str, Any]:
    if job.stack is None:
        features = load_features(job.source)
        length = features.header.get("sound_length", features.length)
    else:
        features = job.stack.features(job.index)
        length = job.stack.clips[job.index]["length"]
    audio = features.audio(seed=seed)[:, :length]
    write(job.target, audio, features.sample_rate, subtype=subtype, force=force)
    return {"source": str(job.source), "written": str(job.target), "seconds": round(audio.shape[-1] / features.sample_rate, 4)}


def _header_files(source: Path) -> list[tuple[Path, Path]]:
    """Returns (path, relative name) of the headers in a folder, or of one file of features. Raises FeatureFileError if there are none."""
    if not source.is_dir():
        return [(source, Path(source.name))]
    headers = [path for path in sorted(source.rglob("*.json")) if path.is_file() and is_header(path)]
    if not headers:
        raise FeatureFileError(f"there are no features in {source}; give a folder that `timbrespace represent` wrote")
    return [(path, path.relative_to(source)) for path in headers]


def _jobs_of(path: Path, name: Path, out: Path) -> list[DecodeJob]:
    """Returns the job of an array or image, or those of the clips of a stack. Raises FeatureFileError."""
    header_file = header_path(path)
    target = out / header_path(name).with_suffix(".wav")
    if read_header(header_file)[0]["format"] != STACK_FORMAT:
        return [DecodeJob(path, target)]
    stack = load_stack(path)
    for clip in stack.clips:
        if not is_relative_path(clip["name"]):
            raise FeatureFileError(f"{header_file}: {clip['name']!r:.60} is not a valid file name; make the stack again")
    return [DecodeJob(path, out.joinpath(name.parent, f"{clip['name']}.wav"), stack, index) for index, clip in enumerate(stack.clips)]
