"""`timbrespace presets`: the presets for `train --preset`, and all settings of one."""

from __future__ import annotations

from typing import Annotated

import typer

from timbrespace.cli.common.options import Json

TYPICAL_SECONDS, TYPICAL_RATE = 2.0, 44_100  # of the sounds for which parameters are counted


def presets(
    name: Annotated[str | None, typer.Argument(metavar="PRESET", help="Show all settings of this preset, with defaults.")] = None,
    json: Json = False,
) -> None:
    """List the presets that come with timbrespace, or show all settings of one."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.learn.voices import DESIGNS, design_settings
    from timbrespace.cli.learn.voices import PRESETS as VOICES
    from timbrespace.config.presets import load_preset
    from timbrespace.config.presets import presets as shipped
    from timbrespace.training.options import DEFAULT_PRESET

    if name in DESIGNS:
        settings = design_settings(name)
        if json:
            print_json(settings)
        else:
            import yaml

            print(
                yaml.safe_dump(
                    {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}, sort_keys=False
                ),
                end="",
            )
    elif name is not None:
        content = load_preset(name).model_dump()
        if json:
            print_json(content)
        else:
            import yaml

            from timbrespace.config.build import parameters_of

            config = load_preset(name)
            seconds = config.training.seconds or TYPICAL_SECONDS
            count = parameters_of(config, sample_rate=TYPICAL_RATE, samples=round(seconds * TYPICAL_RATE))
            print(f"# {count:,} parameters, for sounds of {seconds:g} s at {TYPICAL_RATE / 1_000:g} kHz, mono")
            print(yaml.safe_dump(content, sort_keys=False), end="")
    elif json:
        print_json(shipped() | VOICES)
    else:
        from timbrespace.cli.common.text import hanging

        everything = shipped()
        listed = {DEFAULT_PRESET: f"(default) {everything.pop(DEFAULT_PRESET)}"} | everything | VOICES
        width = max(map(len, listed)) + 2
        for preset, description in listed.items():
            print("\n".join(hanging(f"{preset:<{width}}", description)))
        print("\ntrain --preset NAME uses one, `timbrespace presets NAME` shows its settings. Sources A to E: docs/sources.md")
