"""What the verbs that make a batch of new sounds share: their output options, and rendering, saving and printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from timbrespace.cli.common.options import Engine, Force, Json, Level, OutFolder, Rate, Subtype
from timbrespace.cli.sounds.extras import Extras, Kit, Page, Reel
from timbrespace.cli.sounds.given import print_no_detail, print_unlike, unlike_sounds

if TYPE_CHECKING:
    from timbrespace.synthesis.sound import Sound

_LISTED = 40  # lines on screen
_ANONYMOUS_HELP = "For sharing: recipes, page, kit and printed lines number the training sounds instead of naming them."


@dataclass(frozen=True)
class BatchOptions:
    """Where and how the sounds of a batch are written; see `option_groups.expand_option_groups`."""

    out: OutFolder
    kit: Kit = False
    reel: Reel = False
    page: Page = False
    anonymous: Annotated[bool, typer.Option("--anonymous", help=_ANONYMOUS_HELP)] = False
    level: Level = None
    subtype: Subtype = "PCM_24"
    rate: Rate = None
    engine: Engine = "auto"
    force: Force = False
    json: Json = False


class Beside(Protocol):
    """What a verb writes beside its sounds."""

    def check(self, options: BatchOptions) -> None:
        """Raises OutputExistsError where one of its files exists."""

    def write(self, sounds: Sequence[Sound], options: BatchOptions) -> dict[str, str]:
        """Writes it and returns what it is -> its path."""


def write_batch(
    options: BatchOptions,
    path: Path,
    make: Callable[..., list[Sound]],
    *,
    task: str,
    heading: str = "New sounds",
    noun: str = "new sound",
    inputs: Sequence[Path] = (),
    given: Sequence[Path] = (),
    facts: Mapping[str, Any] | None = None,
    beside: Beside | None = None,
) -> list[Sound]:
    """Opens the instrument at `path`, renders a batch with it, writes, prints and returns the result. Outputs are checked before any work.

    make: called with the instrument and the keyword arguments level, out_rate and progress; returns the sounds. task: label of the
    progress bar. heading, noun: what the page calls the sounds. inputs: further files that `make` reads; no output replaces one.
    given: those of them that are sounds; it is printed where the instrument never learned anything like one. facts: further values of
    the JSON output, which `make` may fill. beside: what else is written. Raises TimbrespaceError.
    """
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_outputs, open_instrument

    check_outputs(options.out, subtype=options.subtype)
    extras = Extras(options.kit, options.reel, options.page, options.out, path, options.force)
    extras.check()
    if beside is not None:
        beside.check(options)
    instrument = open_instrument(path, engine=options.engine)
    if options.anonymous:
        instrument = instrument.anonymous()
    unlike = unlike_sounds(instrument, given)
    if not options.json:
        print_unlike(unlike)
        if given and not instrument.keeps_detail:
            print_no_detail(instrument)
    with progress_bar(task, quiet=options.json) as progress:
        sounds = make(instrument, level=options.level, out_rate=options.rate, progress=progress)
    paths = _save_sounds(sounds, options, inputs=[*inputs, path])
    written = extras.write(sounds, paths, instrument, heading=heading, noun=noun)
    if beside is not None:
        written |= beside.write(sounds, options)
    _print_sounds(sounds, paths, as_json=options.json, extras=written, unlike=unlike, facts=facts or {})
    return sounds


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


def novelty_reason(sound: Sound) -> str | None:
    """Returns why a sound has no novelty, None if it has one."""
    from timbrespace.synthesis.output.nearest import NO_UNIT, STRIPPED

    if sound.novelty is not None:
        return None
    return STRIPPED if sound.nearest is None else NO_UNIT


def _print_sounds(
    sounds: Sequence[Sound], paths: Sequence[Path], *, as_json: bool, extras: dict[str, str], unlike: list[dict[str, Any]],
    facts: Mapping[str, Any],
) -> None:  # fmt: skip
    """Prints one line a sound, copies of training sounds marked, then the extras; or all of it as JSON."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable
    from timbrespace.synthesis.output.nearest import COPY_DB, NO_UNIT
    from timbrespace.wording import counted

    if as_json:
        rows: list[dict[str, Any]] = [
            {"file": str(path), "category": s.category, "seconds": round(s.seconds, 3), "nearest": s.nearest, "novelty": s.novelty}
            | {"novelty_reason": novelty_reason(s), "is_copy": s.is_copy, "is_own": s.is_own, "root_note": s.root_note}
            for s, path in zip(sounds, paths, strict=True)
        ]
        print_json({"sounds": rows, "unlike": unlike, **facts, **extras})
        return
    shown = len(sounds) if len(sounds) <= _LISTED else _LISTED - 4
    for index, (sound, path) in enumerate(zip(sounds, paths, strict=True)):
        if index >= shown and not sound.is_copy:
            continue
        number = "–" if sound.novelty is None else f"{sound.novelty:.2f}"
        novelty = "" if sound.nearest is None else f"  novelty {number}  nearest {printable(sound.nearest)}"
        mark = "  your own sound" if sound.is_own else "  COPY" if sound.is_copy else ""
        print(f"{printable(path)}  {sound.seconds:.2f} s{novelty}{mark}")
    if shown < len(sounds):
        print(f"… and {len(sounds) - shown} more in {printable(paths[0].parent)}; --page shows them all, --json lists them")
    copies = sum(sound.is_copy for sound in sounds)
    own = sum(sound.is_own for sound in sounds)
    print(
        counted(len(sounds), "sound")
        + (f", {own} of them your own, unchanged" if own else "")
        + (f", {copies} of them {'a copy' if copies == 1 else 'copies'} of a training sound (marked)" if copies else "")
    )
    if any(sound.nearest is not None and sound.novelty is None for sound in sounds):
        print(f"novelty cannot be measured: {NO_UNIT}; a sound within {COPY_DB:g} dB of a training sound is marked as a copy")
    for label, value in extras.items():
        print(f"{label}: {printable(value)}")
