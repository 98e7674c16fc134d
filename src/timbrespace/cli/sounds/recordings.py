"""What the verbs that take recordings of any length share: their options, and rendering, writing and printing, with little memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from timbrespace.cli.sounds.extras import Extras

if TYPE_CHECKING:
    from timbrespace.cli.sounds.batch import BatchOptions
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.sound import Sound
    from timbrespace.synthesis.transfer.job import Job

_STRETCH_HELP = "Factor of the duration of a recording, 0.25 to 4; pitch and timbre stay."
_CURVE_HELP = "With --over-time: places over time, evenly spread, such as 0,0,1,1; 0 is the first, 1 the second recording."

Stretch = Annotated[float, typer.Option("--stretch", help=_STRETCH_HELP)]
Whole = Annotated[
    bool | None,
    typer.Option(
        "--whole/--one-shot",
        help="Vary the file as a recording, all of it in windows, or as one sound of the instrument; by default by its length.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class OverTimeOptions:
    """Options of a morph over time; see `option_groups.expand_option_groups`."""

    section: ClassVar[str] = "Recordings, over time"

    over_time: Annotated[
        bool, typer.Option("--over-time", help="Morph recordings of any length while they sound: begin as the first, end as the last.")
    ] = False
    curve: Annotated[str | None, typer.Option("--curve", metavar="VALUES", help=_CURVE_HELP, show_default=False)] = None
    align: Annotated[bool, typer.Option("--align", help="With --over-time: stretch all to the longest; else each keeps its tempo.")] = False
    stretch: Stretch = 1.0

    def check(self) -> None:
        """Raises ConfigError for options that need --over-time."""
        from timbrespace.contracts import ConfigError

        check_stretch(self.stretch)
        wanted = {"--curve": self.curve is not None, "--align": self.align, "--stretch": self.stretch != 1}
        given = [name for name, is_given in wanted.items() if is_given]
        if given and not self.over_time:
            raise ConfigError(f"{given[0]} belongs to a morph of recordings while they sound; add --over-time")

    @property
    def values(self) -> list[float] | None:
        """The values of the curve. Raises ConfigError."""
        from timbrespace.contracts import ConfigError

        try:
            return None if self.curve is None else [float(value) for value in self.curve.split(",")]
        except ValueError:
            raise ConfigError(f"--curve {self.curve!r} is not a list of numbers; write them with commas between, such as 0,0,1,1") from None


def check_stretch(stretch: float) -> None:
    """Raises ConfigError for a factor out of range."""
    from timbrespace.synthesis.transfer.stretching import STRETCH

    STRETCH.check(stretch)


def write_recordings(
    options: BatchOptions, path: Path, make: Callable[[Instrument], tuple[Sequence[Job], Sequence[str]]], *, task: str, heading: str,
    noun: str, inputs: Sequence[Path],
) -> None:  # fmt: skip
    """Opens the instrument at `path`, renders jobs with it, and writes and prints the results.

    make: returns jobs, and a name for each. inputs: files that are read; no output replaces one. The rest: see `batch.write_batch`.
    Raises TimbrespaceError.
    """
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs, check_outputs, open_instrument
    from timbrespace.cli.sounds.given import print_no_detail
    from timbrespace.contracts import ConfigError
    from timbrespace.synthesis.finish import check_target

    check_outputs(options.out, subtype=options.subtype)
    if options.kit:
        raise ConfigError("--kit is for one-shots, and recordings are given; leave it out")
    extras = Extras(False, options.reel, options.page, options.out, path, options.force)
    extras.check()
    instrument = open_instrument(path, engine=options.engine)
    instrument = instrument.anonymous() if options.anonymous else instrument
    check_target(instrument.sample_rate, options.level or "keep", None, options.rate)
    jobs, names = make(instrument)
    targets = [options.out / f"{name}.wav" for name in names]
    written = [one for target in targets for one in (target, target.with_suffix(".json"))]
    check_not_inputs(written, [*inputs, path])
    for target in written:
        check_absent(target, force=options.force)
    if not options.json and not instrument.keeps_detail and not all(job.is_own for job in jobs):
        print_no_detail(instrument)
    sounds: list[Sound] = []
    rows: list[dict[str, Any]] = []
    with progress_bar(f"{task} (s)", quiet=options.json) as progress:
        for number, (job, target) in enumerate(zip(jobs, targets, strict=True)):
            rows.append(_write(options, instrument, job, target, sounds if extras else None, progress, number, jobs))
    made = extras.write(sounds, targets, instrument, heading=heading, noun=noun) if extras else {}
    _print(options, rows, made)


def _write(
    options: BatchOptions, instrument: Instrument, job: Job, target: Path, sounds: list[Sound] | None, progress: Any, number: int,
    jobs: Sequence[Job],
) -> dict[str, Any]:  # fmt: skip
    """Renders and writes one job; returns the line to print. sounds: list to which the result is added, if it is needed further on."""
    from timbrespace.atomic import write_json
    from timbrespace.audio.files import sha256_of
    from timbrespace.synthesis.transfer.face import finished

    contents = instrument.contents
    rate = instrument.sample_rate if options.rate is None else options.rate
    totals = [max(1, round(one.samples / contents.sample_rate)) for one in jobs]
    before, total = sum(totals[:number]), sum(totals)
    update = None if progress is None else lambda done, _: progress(before + done, total)
    options.out.mkdir(parents=True, exist_ok=True)
    take = job.render(contents, folder=options.out, progress=update).at_rate(rate)
    level: Any = options.level
    gain = take.gain(level)
    take.write(target, gain=gain, subtype=options.subtype, force=options.force)
    recipe = job.recipe(contents, name=target.stem, level=level, rate=rate)
    write_json(target.with_suffix(".json"), recipe | {"file": target.name, "sha256": sha256_of(target)}, force=options.force)
    if sounds is not None:
        sounds.append(finished(job, contents, take.array() * gain, name=target.stem, level=level, rate=rate))
    return {"file": str(target), "seconds": round(take.samples / rate, 3), "is_own": job.is_own, "gain": gain}


def _print(options: BatchOptions, rows: Sequence[dict[str, Any]], extras: dict[str, Any]) -> None:
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable
    from timbrespace.wording import counted

    if options.json:
        print_json({"recordings": list(rows), **extras})
        return
    for row in rows:
        print(f"{printable(row['file'])}  {row['seconds']:.2f} s{'  your own recording' if row['is_own'] else ''}")
    print(counted(len(rows), "recording"))
    for label, value in extras.items():
        print(f"{label}: {printable(value)}")
