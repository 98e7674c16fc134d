"""`timbrespace modulate FILES --vibrato 0.5 --tremolo 2 --out DIR`: vibrato and tremolo measured, scaled, added, or taken from a sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.modulation import FROM_HELP, Tremolo, TremoloRate, Vibrato, VibratoRate
from timbrespace.cli.common.options import FileRate, Force, Json, Subtype

if TYPE_CHECKING:
    from timbrespace.modulation.change import Changed, Donor
    from timbrespace.modulation.measuring import Measured, Modulation


def modulate(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER", help="Sound files, or folders of them.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Folder to write to; not needed with --measure.", show_default=False)
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Only print what each sound has: rate, depth, delay, regularity.")] = False,
    vibrato: Vibrato = None,
    tremolo: Tremolo = None,
    vibrato_rate: VibratoRate = None,
    tremolo_rate: TremoloRate = None,
    source: Annotated[Path | None, typer.Option("--from", metavar="FILE", help=FROM_HELP, show_default=False)] = None,
    rate: FileRate = None,
    subtype: Subtype = "PCM_24",
    force: Force = False,
    json: Json = False,
) -> None:
    """Measure vibrato and tremolo of your sounds, or change them: less, more, faster, slower, or those of another sound."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.modulation import read_donor, read_wishes
    from timbrespace.cli.common.options import check_not_inputs, check_outputs
    from timbrespace.contracts import ConfigError
    from timbrespace.modulation.files import modulate_file, read_sound
    from timbrespace.modulation.measuring import measure_audio
    from timbrespace.outputs import output_paths

    wishes = read_wishes(vibrato, tremolo, vibrato_rate, tremolo_rate)
    asked = [vibrato, tremolo, vibrato_rate, tremolo_rate, source]
    problems: list[tuple[Path, str]] = []
    if measure:
        if out is not None or any(one is not None for one in asked):
            raise ConfigError("--measure changes nothing and writes nothing; leave out --out and the changes, or --measure")
        found = output_paths(sources, Path(), problems=problems)
        _each(
            [(path, None) for path, _ in found], lambda path, _: {"file": str(path), **measure_audio(*read_sound(path)).row()},
            lambda row, path: None if json else _print_measured(path, row), problems, key="measured", json=json,
        )  # fmt: skip
        return
    if all(one is None for one in asked):
        raise ConfigError("no change is given; give one, such as --vibrato 0.5, --tremolo 0, --vibrato-rate 6, --from FILE; or --measure")
    if out is None:
        raise ConfigError("give a folder to write to: --out DIR; or --measure, which writes nothing")
    check_outputs(out, subtype=subtype)
    donor = read_donor(source)
    jobs = [(path, target.with_name(f"{target.name}.wav")) for path, target in output_paths(sources, out, problems=problems)]
    targets = [one for _, target in jobs for one in (target, target.with_suffix(".json"))]
    check_not_inputs(targets, [*(path for path, _ in jobs), *([source] if source is not None else [])])
    for target in targets:
        check_absent(target, force=force)
    lines: dict[Path, list[str]] = {}

    def work(path: Path, target: Path | None) -> dict[str, Any]:
        assert target is not None
        result, recipe = modulate_file(path, target, *wishes, donor, source=source, rate=rate, subtype=subtype, force=force)
        lines[path] = remarks(result, [wish.keeps for wish in wishes], donor)
        return {"file": str(target), **recipe}

    def say(row: dict[str, Any], path: Path) -> None:
        from timbrespace.cli.common.text import printable

        if not json:
            print("\n".join(printable(line) for line in [row["file"], *(f"  {line}" for line in lines[path])]))

    _each(jobs, work, say, problems, key="modulated", json=json)


def _each(jobs: Any, work: Any, say: Any, problems: list[tuple[Path, str]], *, key: str, json: bool) -> None:
    """Works through files; those that cannot be read are listed at the end. Raises AudioFileError where none could."""
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.learn.options import print_skipped
    from timbrespace.contracts import AudioFileError

    rows: list[dict[str, Any]] = []
    paths: list[Path] = []
    with progress_bar(key.replace("ed", "ing"), quiet=json) as progress:
        for number, (path, target) in enumerate(jobs):
            if progress is not None:
                progress(number, len(jobs))
            try:
                rows.append(work(path, target))
                paths.append(path)
            except AudioFileError as error:
                problems.append((path, str(error)))
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    if json:
        print_json({key: rows, "skipped": skipped})
    else:
        for row, path in zip(rows, paths, strict=True):
            say(row, path)
        print_skipped(skipped)
    if not rows:
        raise AudioFileError("no sound could be read" + ("" if json else "; the reasons are above"))


def _print_measured(path: Path, row: dict[str, Any]) -> None:
    from timbrespace.cli.common.text import printable

    print(printable(str(path)))
    for line in (_line("vibrato", row["vibrato"], "cents"), _line("tremolo", row["tremolo"], "dB"), *_limits(row)):
        print(f"  {line}")


def _line(kind: str, found: dict[str, float] | None, unit: str) -> str:
    if found is None:
        return f"no {kind}"
    delay = f", begins after {found['delay']:.2f} s" if found["delay"] >= 0.1 else ""
    part = f", in {100 * found['share']:.0f} % of the sound" if found["share"] < 0.95 else ""
    return f"{kind} {found['rate']:.1f} Hz, ± {found['depth']:.2g} {unit}, regularity {found['regularity']:.2f}{delay}{part}"


def _limits(row: dict[str, Any]) -> list[str]:
    """What limits the answer."""
    lines = []
    if row["several"]:
        total = sum(stop - start for start, stop in row["several"])
        lines.append(f"several tones at once for {total:.1f} s: their vibrato is not known, and is kept")
    elif not row["pitched"]:
        lines.append("no pitch was found: only a tremolo can be known, and changed")
    return lines


def remarks(result: Changed, kept: list[bool], donor: Donor | None) -> list[str]:
    """Returns what was changed in a sound, and why not more."""
    before: Measured = result.before
    lines = []
    for kind, keeps, changed, had, given in (
        ("vibrato", kept[0], result.vibrato, before.vibrato, donor and donor.vibrato),
        ("tremolo", kept[1], result.tremolo, before.tremolo, donor and donor.tremolo),
    ):
        if keeps and donor is None:
            continue
        lines.append(_change(kind, changed, had, given, donor))
    return [*lines, *_limits(before.row())]


def _change(kind: str, changed: int, had: Modulation | None, given: Any, donor: Donor | None) -> str:
    unit = "cents" if kind == "vibrato" else "dB"
    own = "none" if had is None else f"{had.rate:.1f} Hz, ± {had.depth:.2g} {unit}"
    notes = f"{changed} note{'s' * (changed != 1)}"
    if donor is not None and given is None:
        return f"{kind}: {donor.name} has none; kept"
    if not changed:
        example = "30cents, where there is a pitch" if kind == "vibrato" else "3dB"
        return f"{kind}: none found, nothing changed; one can be added: --{kind} {example}"
    if given is not None:
        return f"{kind}: that of {donor.name if donor else ''} ({given.rate:.1f} Hz, ± {given.depth:.2g} {unit}) in {notes}; was {own}"
    return f"{kind}: changed in {notes}; was {own}"
