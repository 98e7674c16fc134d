"""`timbrespace generate X -n 64 --out DIR`: new sounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json, Level, OutFolder, Rate, Seed, Subtype

if TYPE_CHECKING:
    from timbrespace.synthesis.sound import Sound


def generate(
    instrument: InstrumentPath,
    out: OutFolder,
    count: Annotated[int, typer.Option("-n", "--count", help="How many sounds.")] = 16,
    category: Annotated[str | None, typer.Option("--category", help="Only this kind; `info` lists them.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="0 safe … 1 as varied as the corpus … 2 wild.")] = 1.0,
    near: Annotated[Path | None, typer.Option("--near", help="Draw around this sound file instead.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Length of each, where the latent moves in time; the corpus's own if not given.")
    ] = None,
    pitch: Annotated[
        float | None, typer.Option("--pitch", help="Only this note, a MIDI number (60 = C4); for instruments learned from notes.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", metavar="NAME=VALUE", help="What to play, for instruments of preset conditional; repeatable."),
    ] = None,
    kit: Annotated[bool, typer.Option("--kit", help="Also write the batch as a sampler kit: SFZ and Decent Sampler.")] = False,
    reel: Annotated[bool, typer.Option("--reel", help="Also put all sounds one after another into one file.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Also write index.html: players, spectrograms, the map, the card.")] = False,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="Make again the one sound that this recipe (JSON) describes, as it was.")
    ] = None,
    seed: Seed = 0,
    level: Level = "peak",
    subtype: Subtype = "PCM_24",
    rate: Rate = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make new sounds that belong to the family the instrument learned, each with its recipe and its nearest training sound."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import counting
    from timbrespace.cli.common.options import check_outputs, open_instrument, save_sounds, tell

    check_outputs(out, subtype=subtype)
    if recipe is not None:
        _refuse_beside_recipe(
            {"--near": near, "--category": category, "--pitch": pitch, "--condition": condition, "--rate": rate, "--seconds": seconds}
        )
    if kit:
        for suffix in (".sfz", ".dspreset"):
            check_absent(out / f"{_kit_name(instrument)}{suffix}", force=force)
    for wanted, name in ((reel or page, "reel.wav"), (page, "index.html")):
        if wanted:
            check_absent(out / name, force=force)
    conditions = _conditions(condition or [])
    opened = open_instrument(instrument)
    if recipe is not None:
        sounds = [opened.replay(_read_recipe(recipe))]
    else:
        with counting("generating", quiet=json) as progress:
            sounds = opened.generate(
                count, seed=seed, category=category, temperature=temperature, near=None if near is None else opened.read(near),
                pitch=pitch, seconds=seconds, conditions=conditions, level=level, out_rate=rate, progress=progress,  # type: ignore[arg-type]
            )  # fmt: skip
    paths = save_sounds(sounds, out, subtype=subtype, force=force, inputs=[path for path in (near, recipe, instrument) if path])
    more = {}
    if kit:
        more["kit"] = ", ".join(str(path) for path in _write_kit(sounds, paths, out, name=_kit_name(instrument), force=force))
    if page:
        from timbrespace.report.results import Results, write_results

        about = f"{len(sounds)} new sounds by {instrument.name}."
        more["page"] = str(write_results(Results(out.resolve().name, about, opened, sounds, sounds_in=""), out, force=force))
    elif reel:
        from timbrespace.audio.files import write
        from timbrespace.synthesis.reel import reel as join

        write(out / "reel.wav", join([sound.audio for sound in sounds], sounds[0].sample_rate), sounds[0].sample_rate, force=force)
        more["reel"] = str(out / "reel.wav")
    tell(sounds, paths, as_json=json, **more)


def _refuse_beside_recipe(options: dict[str, object]) -> None:
    from timbrespace.contracts import ConfigError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{', '.join(given)} cannot be given with --recipe, which holds all of that; leave one of them out")


def _conditions(given: list[str]) -> dict[str, str | float]:
    """NAME=VALUE as name -> value; a figure stays text until the instrument knows it for one. Raises ConfigError."""
    from timbrespace.contracts import ConfigError

    found: dict[str, str | float] = {}
    for one in given:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not equals or not name or not value:
            raise ConfigError(f"--condition {one!r} is not NAME=VALUE; for instance category=kick; `info` lists what there is")
        if name in found:
            raise ConfigError(f"--condition {name} is given twice; once is enough")
        found[name] = value
    return found


def _kit_name(instrument: Path) -> str:
    return f"{instrument.stem} kit"


def _write_kit(sounds: list[Sound], paths: list[Path], out: Path, *, name: str, force: bool) -> list[Path]:
    from timbrespace.export.keymap import kind_of
    from timbrespace.export.sampler import KitEntry, write_decent_sampler, write_sfz

    entries = [
        KitEntry(file=Path(path.name), category=s.category, root_note=s.root_note, seconds=s.seconds, label=s.name)
        for s, path in zip(sounds, paths, strict=True)
    ]
    # A kick has a pitch too, but belongs on a pad: one drum makes the whole batch a drum kit.
    if any(kind_of(entry)[0] is not None for entry in entries):
        entries = [replace(entry, root_note=None) for entry in entries]
    return write_sfz(out, entries, name=name, force=force) + write_decent_sampler(out, entries, name=name, force=force)


def _read_recipe(path: Path) -> dict[str, Any]:
    import json

    from timbrespace.contracts import ConfigError

    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a recipe ({error}); give the JSON file beside a rendered WAV") from None
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path} is not a recipe; give the JSON file beside a rendered WAV")
    return recipe
