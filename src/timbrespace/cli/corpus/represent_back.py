"""`timbrespace represent ARRAYS --back --out DIR`: features that were written before become sound again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.features.stack import Stack


@dataclass(frozen=True)
class _Job:
    """A file of features, or clip `index` of a stack, and the WAV it becomes."""

    source: Path
    target: Path
    stack: Stack | None = None
    index: int = 0


def back(sources: list[Path], out: Path, *, subtype: str, seed: int, force: bool, json: bool) -> None:
    """Writes a WAV for every array, image and clip of a stack. Raises TimbrespaceError where none could be read."""
    import os

    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.corpus.represent_output import tell_skipped
    from timbrespace.contracts import FeatureFileError, TimbrespaceError
    from timbrespace.parallel import ordered_map

    skipped: list[dict[str, str]] = []
    jobs: dict[Path, _Job] = {}
    for job in _jobs(sources, out, skipped):
        if job.target in jobs:
            raise FeatureFileError(
                f"{job.source} and {jobs[job.target].source} would both become {job.target}; write them into two folders"
            )
        jobs[job.target] = job
    check_not_inputs(list(jobs), [job.source for job in jobs.values()])
    for target in jobs:
        check_absent(target, force=force)

    def work(job: _Job) -> dict[str, Any]:
        try:
            return _write(job, subtype=subtype, seed=seed, force=force)
        except TimbrespaceError as error:
            if not isinstance(error, FeatureFileError | ValueError):  # a full disk ends the run
                raise
            return {"file": str(job.source), "reason": str(error).removeprefix(f"{job.source}: ")}
        except MemoryError:
            return {"file": str(job.source), "reason": "too long for this machine's memory"}

    written: list[dict[str, Any]] = []
    with progress_bar("decoding", quiet=json) as progress:
        for done, row in enumerate(ordered_map(work, jobs.values(), workers=min(2, os.cpu_count() or 1, len(jobs) or 1))):
            (skipped if "reason" in row else written).append(row)
            if progress is not None:
                progress(done + 1, len(jobs))
    if json:
        print_json({"sounds": written, "skipped": skipped})
    else:
        tell_skipped(skipped)
        print(f"{len(written)} sounds in {out}")
    if not written:
        raise TimbrespaceError("none of the arrays could be turned into sound; the reasons stand above")


def _write(job: _Job, *, subtype: str, seed: int, force: bool) -> dict[str, Any]:
    from timbrespace.audio.files import write
    from timbrespace.features.arrays import load_features

    if job.stack is None:
        features = load_features(job.source)
        length = features.head.get("sound_length", features.length)
    else:
        features = job.stack.features(job.index)
        length = job.stack.clips[job.index]["length"]
    audio = features.audio(seed=seed)[:, :length]
    write(job.target, audio, features.sample_rate, subtype=subtype, force=force)
    return {"source": str(job.source), "written": str(job.target), "seconds": round(audio.shape[-1] / features.sample_rate, 4)}


def _jobs(sources: list[Path], out: Path, skipped: list[dict[str, str]]) -> Iterator[_Job]:
    """What there is to decode; a folder's arrays keep their relative names. Raises FeatureFileError where a folder holds none."""
    from timbrespace.contracts import FeatureFileError
    from timbrespace.corpus.labels.values import is_relative_path
    from timbrespace.features.head import STACK_FORMAT, head_path, looks_like_head, read_head
    from timbrespace.features.stack import load_stack

    for source in sources:
        if source.is_dir():
            heads = [path for path in sorted(source.rglob("*.json")) if path.is_file() and looks_like_head(path)]
            found = [(path, path.relative_to(source)) for path in heads]
            if not found:
                raise FeatureFileError(f"there are no features in {source}; give a folder that `timbrespace represent` wrote")
        else:
            found = [(source, Path(source.name))]
        for path, name in found:
            try:
                beside = head_path(path)
                target = out / head_path(name).with_suffix(".wav")
                if read_head(beside)[0]["format"] != STACK_FORMAT:
                    yield _Job(path, target)
                    continue
                stack = load_stack(path)
                for clip in stack.clips:
                    if not is_relative_path(clip["name"]):
                        raise FeatureFileError(f"{beside}: {clip['name']!r:.60} is no name for a file in a folder; make the stack again")
            except FeatureFileError as error:
                skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
                continue
            for index, clip in enumerate(stack.clips):
                yield _Job(path, out.joinpath(name.parent, f"{clip['name']}.wav"), stack, index)
