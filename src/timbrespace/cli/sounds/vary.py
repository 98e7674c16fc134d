"""`timbrespace vary X FILE -n 8 --amount 0.3 --out DIR`: variations of one sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions, write_batch
from timbrespace.cli.sounds.recordings import Stretch, Whole, check_stretch, write_recordings
from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.transfer.job import Job


@expand_option_groups
def vary(
    instrument: InstrumentPath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sound to vary.", show_default=False)],
    count: Annotated[int, typer.Option("-n", "--count", help="Number of variations.")] = 8,
    amount: Annotated[float, typer.Option("--amount", help="0 the sound itself … 1 as different as its category allows.")] = 0.3,
    seed: Seed = 0,
    whole: Whole = None,
    stretch: Stretch = 1.0,
    *,
    options: BatchOptions,
) -> None:
    """Make variations of one of your sounds, or of a recording of any length."""
    from timbrespace.cli.common.options import check_outputs, open_instrument
    from timbrespace.instrument import AMOUNT, check_count
    from timbrespace.synthesis.names import safe_name
    from timbrespace.synthesis.transfer.job import SHORTEST_SECONDS, variations
    from timbrespace.synthesis.transfer.recording import seconds_of

    check_outputs(options.out, subtype=options.subtype)
    check_stretch(stretch)
    check_count(count)
    if stretch != 1 and whole is False:
        raise ConfigError("--stretch is for recordings, and --one-shot asks for one sound of the instrument; leave one of them out")
    if whole is None and stretch == 1:
        whole = seconds_of(file) > SHORTEST_SECONDS and open_instrument(instrument).is_recording(file)
    if whole or stretch != 1:

        def make(opened: Instrument) -> tuple[list[Job], list[str]]:
            distance = AMOUNT.check(amount)
            jobs = variations(opened.contents, file, count, amount=distance, seed=seed, stretch=stretch, named=not options.anonymous)
            return jobs, [f"{safe_name(job.stem)} {job.number + 1:03d}" for job in jobs]

        write_recordings(options, instrument, make, task="varying", heading="Variations", noun="variation", inputs=[file])
        return
    write_batch(
        options,
        instrument,
        lambda opened, **render: opened.vary(
            opened.given(file, named=not options.anonymous), count, amount=amount, seed=seed, whole=False, **render
        ),
        task="varying",
        heading="Variations",
        noun="variation",
        inputs=[file],
        given=[file],
    )
