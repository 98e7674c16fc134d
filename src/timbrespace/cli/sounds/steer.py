"""`timbrespace steer X FILE --control brightness=+1 --out DIR`: a sound of yours, brighter, shorter, noisier …"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.controls import (
    ControlOptions,
    expand_short_forms,
    print_first_use,
    print_reached,
    reached_rows,
    read_controls,
)
from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import InstrumentPath, Seed
from timbrespace.cli.sounds.batch import BatchOptions, write_batch

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.sound import Sound

expand_words = expand_short_forms


@expand_option_groups
def steer(
    instrument: InstrumentPath,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The sounds to change.", show_default=False)],
    control: ControlOptions = None,
    seed: Seed = 0,
    *,
    options: BatchOptions,
) -> None:
    """Change your own sounds by named controls: brighter, darker, longer, shorter, noisier, in measured amounts."""
    from timbrespace.contracts import ConfigError

    asked = read_controls(control)
    if not asked:
        raise ConfigError("no change is given; give --control NAME=VALUE or a short form such as --brighter; `info` lists the controls")
    facts: dict[str, Any] = {}

    def make(opened: Instrument, **render: Any) -> list[Sound]:
        if not options.json:
            print_first_use(opened)
        given = [opened.given(file, named=not options.anonymous) for file in files]
        sounds = opened.steer(given, asked, seed=seed, **render)
        facts["controls"] = reached_rows(sounds)
        return sounds

    sounds = write_batch(
        options, instrument, make, task="steering", heading="Steered sounds", noun="steered sound", inputs=files, given=files, facts=facts
    )
    if not options.json:
        print_reached(sounds)
