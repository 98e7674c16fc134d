"""Input and output files of the verbs that convert files and folders and keep their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timbrespace.paths import is_folder


def output_paths(sources: Sequence[Path], out: Path, *, problems: list[tuple[Path, str]] | None = None) -> list[tuple[Path, Path]]:
    """Pairs (input, output without suffix): a file keeps its name, the files of a folder their relative names; outputs are unique.

    problems: as in `find_audio`. Raises AudioFileError if there are no files, or if two would get the same name.
    """
    from timbrespace.audio.files import find_audio
    from timbrespace.contracts import AudioFileError

    jobs: dict[Path, Path] = {}
    for source in sources:
        if is_folder(source):
            pairs = [(path, path.relative_to(source)) for path in find_audio(source, problems=problems)]
        else:
            pairs = [(source, Path(source.name))]
        for path, relative in pairs:
            target = out / relative.with_suffix("")
            if target in jobs:  # a.wav beside a.flac: the suffix joins the name
                target = out / relative.with_name(f"{relative.stem} {relative.suffix.lstrip('.')}")
            if target in jobs:
                raise AudioFileError(f"{path} and {jobs[target]} would both be written to {target}; write them into two folders")
            jobs[target] = path
    if not jobs:
        raise AudioFileError(f"there are no sound files in {', '.join(map(str, sources))}")
    return [(path, target) for target, path in jobs.items()]
