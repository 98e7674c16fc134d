"""What the verbs that make a batch of new sounds share: their output options, and rendering, saving, kit, reel and page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, Json, Level, OutFolder, Rate, Subtype
from timbrespace.cli.sounds.given import print_unlike, unlike_sounds
from timbrespace.export.registry import EXPORTERS

if TYPE_CHECKING:
    from timbrespace.synthesis.instrument import Instrument
    from timbrespace.synthesis.sound import Sound

_KIT_HELP = f"Also write the batch as a kit for samplers: {', '.join(exporter.title for exporter in EXPORTERS.values())}."

_ANONYMOUS_HELP = "For sharing: recipes, page, kit and printed lines number the training sounds instead of naming them."


@dataclass(frozen=True)
class BatchOptions:
    """Where and how the sounds of a batch are written; see `option_groups.expand_option_groups`."""

    out: OutFolder
    kit: Annotated[bool, typer.Option("--kit", help=_KIT_HELP)] = False
    reel: Annotated[bool, typer.Option("--reel", help="Also write all sounds one after another into reel.wav.")] = False
    page: Annotated[bool, typer.Option("--page", help="Also write index.html: players, spectrograms, the map, the card.")] = False
    anonymous: Annotated[bool, typer.Option("--anonymous", help=_ANONYMOUS_HELP)] = False
    level: Level = "peak"
    subtype: Subtype = "PCM_24"
    rate: Rate = None
    force: Force = False
    json: Json = False


def write_batch(
    options: BatchOptions,
    path: Path,
    make: Callable[..., list[Sound]],
    *,
    task: str,
    inputs: Sequence[Path] = (),
    given: Sequence[Path] = (),
) -> None:
    """Opens the instrument at `path`, renders a batch with it, writes and prints the result. Outputs are checked before any work.

    make: called with the instrument and the keyword arguments level, out_rate and progress; returns the sounds. task: label of the
    progress bar. inputs: further files that `make` reads; no output replaces one. given: those of them that are sounds; it is printed
    where the instrument never learned anything like one.
    Raises TimbrespaceError.
    """
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_outputs, open_instrument

    check_outputs(options.out, subtype=options.subtype)
    _check_extras(options, path)
    instrument = open_instrument(path)
    if options.anonymous:
        instrument = instrument.anonymous()
    unlike = unlike_sounds(instrument, given)
    if not options.json:
        print_unlike(unlike)
    with progress_bar(task, quiet=options.json) as progress:
        sounds = make(instrument, level=options.level, out_rate=options.rate, progress=progress)
    paths = _save_sounds(sounds, options, inputs=[*inputs, path])
    extras = _write_extras(sounds, paths, options, instrument, path)
    _print_sounds(sounds, paths, as_json=options.json, extras=extras, unlike=unlike)


def _kit_name(path: Path) -> str:
    return f"{path.stem} kit"


def _check_extras(options: BatchOptions, path: Path) -> None:
    """Raises OutputExistsError where the kit, the reel or the page is there already."""
    from timbrespace.atomic import check_absent

    targets: list[Path] = []
    if options.kit:
        targets += [target for exporter in EXPORTERS.values() for target in exporter.targets(options.out, _kit_name(path))]
    targets += [options.out / "reel.wav"] if options.reel or options.page else []
    targets += [options.out / "index.html"] if options.page else []
    for target in targets:
        check_absent(target, force=options.force)


def _save_sounds(sounds: Sequence[Sound], options: BatchOptions, *, inputs: Sequence[Path]) -> list[Path]:
    """Writes every sound with its recipe, or none where one of the names exists. Raises OutputExistsError.

    inputs: files that were read; not even `force` replaces them.
    """
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.options import check_not_inputs

    targets = [options.out / f"{sound.name}{suffix}" for sound in sounds for suffix in (".wav", ".json")]
    check_not_inputs(targets, inputs)
    for target in targets:
        check_absent(target, force=options.force)
    return [sound.save(options.out, subtype=options.subtype, force=options.force) for sound in sounds]


def _write_extras(sounds: list[Sound], paths: Sequence[Path], options: BatchOptions, instrument: Instrument, path: Path) -> dict[str, str]:
    """Writes the kit, the page (with its reel) or the reel; returns what each is -> its path."""
    extras = {}
    if options.kit:
        from timbrespace.export.kit import make_kit

        kit = make_kit(sounds, paths, name=_kit_name(path))
        written = [file for exporter in EXPORTERS.values() for file in exporter.export(kit, options.out, force=options.force)]
        extras["kit"] = ", ".join(map(str, written))
    if options.page:
        from timbrespace.report.results import Results, write_results

        about = f"{len(sounds)} new sounds by {path.name}."
        results = Results(options.out.resolve().name, about, instrument, sounds, sounds_folder="")
        extras["page"] = str(write_results(results, options.out, force=options.force))
    elif options.reel:
        from timbrespace.audio.files import write
        from timbrespace.synthesis.reel import reel

        rate = sounds[0].sample_rate
        write(options.out / "reel.wav", reel([sound.audio for sound in sounds], rate), rate, force=options.force)
        extras["reel"] = str(options.out / "reel.wav")
    return extras


def _print_sounds(
    sounds: Sequence[Sound], paths: Sequence[Path], *, as_json: bool, extras: dict[str, str], unlike: list[dict[str, Any]]
) -> None:
    """Prints one line a sound, copies of training sounds marked, then the extras; or all of it as JSON."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable
    from timbrespace.synthesis.novelty import COPY_DB, NO_UNIT

    if as_json:
        rows: list[dict[str, Any]] = [
            {"file": str(path), "category": s.category, "seconds": round(s.seconds, 3), "nearest": s.nearest, "novelty": s.novelty}
            | {"is_copy": s.is_copy, "root_note": s.root_note}
            for s, path in zip(sounds, paths, strict=True)
        ]
        print_json({"sounds": rows, "unlike": unlike, **extras})
        return
    for sound, path in zip(sounds, paths, strict=True):
        number = "–" if sound.novelty is None else f"{sound.novelty:.2f}"
        novelty = "" if sound.nearest is None else f"  novelty {number}  nearest {printable(sound.nearest)}"
        print(f"{printable(path)}  {sound.seconds:.2f} s{novelty}{'  COPY' if sound.is_copy else ''}")
    copies = sum(sound.is_copy for sound in sounds)
    print(f"{len(sounds)} sounds" + (f", {copies} of them copies of a training sound (marked)" if copies else ""))
    if any(sound.nearest is not None and sound.novelty is None for sound in sounds):
        print(f"novelty cannot be measured: {NO_UNIT}; a sound within {COPY_DB:g} dB of a training sound is marked as a copy")
    for label, value in extras.items():
        print(f"{label}: {printable(value)}")
