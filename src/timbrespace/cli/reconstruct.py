"""`timbrespace reconstruct X FILES|FOLDER --out DIR`: encode and decode; keeps relative names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrespace.cli.common import Force, InstrumentPath, Json, OutFolder, Seed, Subtype


def reconstruct(
    instrument: InstrumentPath,
    sources: Annotated[list[Path], typer.Argument(metavar="FILES|FOLDER", help="Sound files, or folders of them.", show_default=False)],
    out: OutFolder,
    seed: Seed = 0,
    subtype: Subtype = "PCM_24",
    force: Force = False,
    json: Json = False,
) -> None:
    """Send sounds through the instrument and back: same names, same lengths, same peaks."""
    from timbrespace.audio.atomic import check_absent
    from timbrespace.audio.files import write
    from timbrespace.cli.common import check_not_inputs, check_outputs, open_instrument
    from timbrespace.cli.common_corpus import counting, print_json
    from timbrespace.contracts import TimbrespaceError

    check_outputs(out, subtype=subtype)
    jobs = _jobs(sources, out)
    check_not_inputs([target for _, target in jobs], [path for path, _ in jobs])
    for _, target in jobs:
        check_absent(target, force=force)
    opened = open_instrument(instrument)
    written, skipped, cut = [], [], []
    with counting("reconstructing", quiet=json) as progress:
        for done, (path, target) in enumerate(jobs):
            try:
                audio = opened.read(path)
                copy = opened.reconstruct(audio, seed=seed)
            except TimbrespaceError as error:
                skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
            else:
                write(target, copy, opened.sample_rate, subtype=subtype, force=force)
                written.append(str(target))
                if audio.shape[-1] > opened.contents.samples:
                    cut.append(str(path))
            if progress is not None:
                progress(done + 1, len(jobs))
    longest = opened.contents.samples / opened.sample_rate
    if json:
        print_json({"written": written, "skipped": skipped, "longer_than_the_model": cut, "longest_seconds": longest})
    else:
        for row in skipped:
            print(f"skipped {row['file']}: {row['reason']}")
        if cut:
            print(f"{len(cut)} files may reach beyond the {longest:.2f} s that this model takes: silence follows there")
        print(f"{len(written)} sounds in {out}")
    if not written:
        raise TimbrespaceError("none of the files could be reconstructed; the reasons stand above")


def _jobs(sources: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """(input, output) pairs; a file keeps its name, a folder's files their relative names; no two share an output."""
    from timbrespace.audio.files import find_audio
    from timbrespace.contracts import AudioFileError

    jobs: dict[Path, Path] = {}
    for source in sources:
        pairs = [(path, path.relative_to(source)) for path in find_audio(source)] if source.is_dir() else [(source, Path(source.name))]
        for path, relative in pairs:
            target = out / relative.with_suffix(".wav")
            if target in jobs:  # a.wav beside a.flac: the suffix joins the name
                target = out / relative.with_name(f"{relative.stem} {relative.suffix.lstrip('.')}.wav")
            if target in jobs:
                raise AudioFileError(f"{path} and {jobs[target]} would both be written to {target}; reconstruct them into two folders")
            jobs[target] = path
    if not jobs:
        raise AudioFileError(f"there are no sound files in {', '.join(map(str, sources))}")
    return [(path, target) for target, path in jobs.items()]
