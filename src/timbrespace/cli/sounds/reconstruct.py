"""`timbrespace reconstruct X FILES|FOLDER --out DIR`: encode and decode; keeps relative names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json, OutFolder, Seed, Subtype


def reconstruct(
    instrument: InstrumentPath,
    sources: Annotated[list[Path], typer.Argument(metavar="FILES|FOLDER", help="Sound files, or folders of them.", show_default=False)],
    out: OutFolder,
    seed: Seed = 0,
    subtype: Subtype = "PCM_24",
    force: Force = False,
    json: Json = False,
) -> None:
    """Encode and decode sounds: the results have the same names, lengths and peaks."""
    from timbrespace.atomic import check_absent, is_name_too_long
    from timbrespace.audio.files import write
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.options import check_not_inputs, check_outputs, open_instrument
    from timbrespace.cli.common.text import skipped_lines
    from timbrespace.cli.sounds.given import print_unlike, unlike
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.outputs import output_paths

    check_outputs(out, subtype=subtype)
    problems: list[tuple[Path, str]] = []
    jobs = [(path, target.with_name(f"{target.name}.wav")) for path, target in output_paths(sources, out, problems=problems)]
    check_not_inputs([target for _, target in jobs], [path for path, _ in jobs])
    for _, target in jobs:
        check_absent(target, force=force)
    opened = open_instrument(instrument)
    written, cut, strange = [], [], list[dict[str, Any]]()
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    with progress_bar("reconstructing", quiet=json) as progress:
        for done, (path, target) in enumerate(jobs):
            try:
                audio = opened.read(path)
                reconstruction = opened.reconstruct(audio, seed=seed)
                row = unlike(opened, path, audio)
            except TimbrespaceError as error:
                skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
                continue
            finally:
                if progress is not None:
                    progress(done + 1, len(jobs))
            try:
                write(target, reconstruction, opened.sample_rate, subtype=subtype, force=force)
            except TimbrespaceError as error:
                if not is_name_too_long(error):  # a full disk ends the run
                    raise
                skipped.append({"file": str(path), "reason": str(error)})
            else:
                written.append(str(target))
                strange += [row] if row is not None else []
                if opened.longest is not None and audio.shape[-1] > opened.longest:
                    cut.append(str(path))
    longest = None if opened.longest is None else opened.longest / opened.sample_rate
    if json:
        print_json({"written": written, "skipped": skipped, "longer_than_the_model": cut, "longest_seconds": longest, "unlike": strange})
    else:
        for line in skipped_lines(skipped, rest="--json lists all"):
            print(line)
        print_unlike(strange)
        if cut and longest is not None:
            print(f"{len(cut)} files are longer than the {longest:.2f} s that this model encodes; silence follows")
        print(f"{len(written)} sounds in {out}")
    if not written:
        raise TimbrespaceError("none of the files could be reconstructed; see the reasons above")
