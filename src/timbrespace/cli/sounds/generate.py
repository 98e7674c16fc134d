"""`timbrespace generate X -n 64 --out DIR`: new sounds."""

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
from timbrespace.cli.common.pairs import read_note, read_pairs
from timbrespace.cli.common.text import printable
from timbrespace.cli.sounds.batch import BatchOptions, write_batch

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.sound import Sound


expand_words = expand_short_forms

_IN_RECIPE = {
    "control": "--control",
    "near": "--near",
    "category": "--category",
    "pitch": "--pitch",
    "condition": "--condition",
    "rate": "--rate",
}
_IN_RECIPE |= {"seconds": "--seconds", "count": "-n", "seed": "--seed", "level": "--level", "temperature": "--temperature"}
_IN_RECIPE |= {"prompt": "--prompt", "like": "--like"}
_IN_RECIPE |= {"velocity": "--velocity", "anonymous": "--anonymous"}  # a recipe holds names


@expand_option_groups
def generate(
    instrument: InstrumentPath,
    count: Annotated[int, typer.Option("-n", "--count", help="Number of sounds.")] = 16,
    category: Annotated[str | None, typer.Option("--category", help="Only sounds of this category; `info` lists them.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="0 safe … 1 as varied as the corpus … 2 wild.")] = 1.0,
    near: Annotated[Path | None, typer.Option("--near", help="Draw around this sound file instead of the whole corpus.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Length of each sound, for instruments with a time-varying latent; else the corpus's.")
    ] = None,
    pitch: Annotated[
        float | None,
        typer.Option(
            "--pitch", parser=read_note, metavar="NOTE", help="Only this note, C4 or its MIDI number 60, for instruments trained on notes."
        ),
    ] = None,
    velocity: Annotated[
        float | None,
        typer.Option("--velocity", help="How hard it is played, 1 to 127, for instruments trained on sounds with velocities."),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition", metavar="NAME=VALUE", help="Condition, for instruments with conditions (`info` lists them); repeatable."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", help='What the sounds shall be like, in words: "short bright snare, a bit noisy, like rim01 but darker".'),
    ] = None,
    like: Annotated[
        Path | None, typer.Option("--like", help="With --prompt: the sound file that it compares with. A prompt itself opens no file.")
    ] = None,
    control: ControlOptions = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="Make the one sound of this recipe (a JSON file) again.")] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source", metavar="FOLDER", help="With --recipe: folder of the sounds it was made from; by default the recipe's own."
        ),
    ] = None,
    seed: Seed = 0,
    *,
    options: BatchOptions,
    context: typer.Context,
) -> None:
    """Make new sounds that belong to the family the instrument learned, each with its recipe and its nearest training sound."""
    if recipe is not None:
        _refuse_beside_recipe(context)
    elif source is not None:
        from timbrespace.contracts import ConfigError

        raise ConfigError(f"--source {source} is given without --recipe; it says where the sounds of a recipe are")
    conditions, controls = _conditions(condition or []), read_controls(control)
    facts: dict[str, Any] = {}

    def make(opened: Instrument, **render: Any) -> list[Sound]:
        if recipe is not None:
            return [opened.replay(_read_recipe(recipe), sources=recipe.parent if source is None else source)]
        given, compared = (None if path is None else opened.given(path, named=not options.anonymous) for path in (near, like))
        if prompt is not None:
            facts["understood"] = _understood(opened, prompt, like=None if like is None else like.name, quiet=options.json)
        if (controls or facts.get("understood", {}).get("wishes")) and not options.json:
            print_first_use(opened)
        sounds = opened.generate(
            count, seed=seed, category=category, temperature=temperature, near=given, near_file=near or "", pitch=pitch, velocity=velocity,
            seconds=seconds, conditions=conditions, prompt=prompt, like=compared, controls=controls, **render,
        )  # fmt: skip
        facts.update({"controls": reached_rows(sounds)} if controls else {})
        return sounds

    given = [path for path in (near, like) if path]
    inputs = given + ([recipe] if recipe else [])
    sounds = write_batch(options, instrument, make, task="generating", inputs=inputs, given=given, facts=facts)
    if controls and not options.json:
        print_reached(sounds)
    if prompt is not None and not options.json:
        _print_not_followed(sounds[0])
    kind = sounds[0].recipe["asked"].get("kind") if near else None
    if kind and not options.json:
        print(f"called {printable(kind['category'])}, the kind of {printable(near)} by {kind['by']}; --category chooses another")


def _understood(instrument: Instrument, prompt: str, *, like: str | None, quiet: bool) -> dict[str, Any]:
    """How a prompt is understood, as JSON values; unless `quiet` it is printed, a line for each part."""
    reading = instrument.understand(prompt, like=like)
    if not quiet:
        for line in reading.lines():
            print(printable(f"  {line}"))
    return reading.as_dict()


def _print_not_followed(sound: Sound) -> None:
    """Prints the wishes that the instrument could not follow, which only shows when sounds are measured."""
    for note in sound.recipe["asked"]["understood"].get("notes", ()):
        if note.startswith("not followed"):
            print(printable(note))


def _refuse_beside_recipe(context: typer.Context) -> None:
    """Raises ConfigError for options on the command line whose values a recipe holds itself, also if they repeat the default."""
    from timbrespace.contracts import ConfigError

    given = [option for name, option in _IN_RECIPE.items() if getattr(context.get_parameter_source(name), "name", "DEFAULT") != "DEFAULT"]
    if given:
        raise ConfigError(f"{', '.join(given)} cannot be given with --recipe, which holds these values; leave one of them out")


def _conditions(pairs: list[str]) -> dict[str, str | float]:
    """NAME=VALUE as name -> value; numbers stay text, which the instrument converts. Raises ConfigError."""
    advice = "`info` lists the conditions"
    return {**read_pairs(pairs, "--condition", example="category=kick", advice=advice, comma=r"^[+-]?\d+,\d+$")}


def _read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a JSON file. Raises ConfigError."""
    import json

    from timbrespace.contracts import ConfigError

    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a recipe ({error}); give the JSON file beside a rendered WAV") from None
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path} is not a recipe; give the JSON file beside a rendered WAV")
    return recipe
