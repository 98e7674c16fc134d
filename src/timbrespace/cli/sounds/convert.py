"""`timbrespace convert VOICES PIECES --to violin=0.5,flute=0.5 --out DIR`: pieces in the timbre of a voice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from timbrespace.cli.common.modulation import FROM_HELP, Tremolo, TremoloRate, Vibrato, VibratoRate
from timbrespace.cli.common.options import Force, Json, OutFolder, Rate, Seed, Subtype

_TO_HELP = "Weights of the instruments, scaled to a sum of 1: flute, or violin=0.5,flute=0.5; also beyond, violin=1.3,flute=-0.3."
_IN_RECIPE = {
    "to": "--to", "curve": "--curve", "keep": "--keep", "source": "--from", "stretch": "--stretch", "transpose": "--transpose",
    "seed": "--seed", "rate": "--rate", "vibrato": "--vibrato", "tremolo": "--tremolo", "vibrato_rate": "--vibrato-rate",
    "tremolo_rate": "--tremolo-rate",
}  # fmt: skip
_CURVE_HELP = "Weights that move, at times in s: '0:violin=1; 10:flute=1'. In place of --to."


def convert(
    voices: Annotated[Path, typer.Argument(metavar="VOICES", help="File of voices (.safetensors).", show_default=False)],
    out: OutFolder,
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE|FOLDER", help="Sound files, or folders of them.", show_default=False)
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="WEIGHTS", help=_TO_HELP, show_default=False)] = None,
    curve: Annotated[str | None, typer.Option("--curve", metavar="CURVE", help=_CURVE_HELP, show_default=False)] = None,
    keep: Annotated[str, typer.Option("--keep", help="What stays the piece's own: loudness, vibrato, noise, room.")] = "loudness,vibrato",
    source: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="The instrument that plays the piece; by default found by its sound.")
    ] = None,
    vibrato: Vibrato = None,
    tremolo: Tremolo = None,
    vibrato_rate: VibratoRate = None,
    tremolo_rate: TremoloRate = None,
    modulation: Annotated[Path | None, typer.Option("--modulation-from", metavar="FILE", help=FROM_HELP, show_default=False)] = None,
    stretch: Annotated[float, typer.Option("--stretch", help="Factor of the duration, 0.1 to 10; pitch and timbre stay.")] = 1.0,
    transpose: Annotated[float, typer.Option("--transpose", help="Semitones, -36 to 36.")] = 0.0,
    page: Annotated[bool, typer.Option("--page", help="Also write a page to compare each piece and its result.")] = False,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="Make the result of this recipe again, of the same piece.", show_default=False),
    ] = None,
    seed: Seed = 0,
    rate: Rate = None,
    subtype: Subtype = "PCM_24",
    force: Force = False,
    json: Json = False,
    *,
    context: typer.Context,
) -> None:
    """Play a given piece with another timbre: a learned instrument, or a blend of several."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.modulation import read_donor, read_wishes
    from timbrespace.cli.common.options import check_not_inputs, check_outputs
    from timbrespace.cli.common.text import printable
    from timbrespace.cli.learn.options import print_skipped
    from timbrespace.contracts import AudioFileError, ConfigError
    from timbrespace.outputs import output_paths
    from timbrespace.voices import load
    from timbrespace.voices.kinds.kind import kind_of
    from timbrespace.voices.pieces import convert_file
    from timbrespace.voices.stream.replay import find_piece, read_recipe
    from timbrespace.voices.weights import Curve, read_curve, read_weights

    given = {name for name in context.params if getattr(context.get_parameter_source(name), "name", "DEFAULT") != "DEFAULT"}
    if recipe is not None and (held := sorted(given & _IN_RECIPE.keys())):
        raise ConfigError(f"{_IN_RECIPE[held[0]]} cannot be given with --recipe, which holds it; leave one of them out")
    if recipe is None and (to is None) == (curve is None):
        raise ConfigError("give --to WEIGHTS, such as --to flute, or --curve, and not both")
    if recipe is None and not sources:
        raise ConfigError("no piece is given; give sound files or folders of them, after the file of voices")
    check_outputs(out, subtype=subtype)
    opened = load(voices)
    kind, donor = kind_of(opened), read_donor(modulation)
    chosen: dict[str, Any] = {
        "keep": tuple(filter(None, (one.strip() for one in keep.split(",")))), "source": source, "stretch": stretch, "transpose": transpose,
        "seed": seed,
    }  # fmt: skip
    wishes = read_wishes(vibrato, tremolo, vibrato_rate, tremolo_rate)
    changes = {"vibrato": wishes[0], "tremolo": wishes[1], "donor": donor}
    asked = {"vibrato": not wishes[0].keeps, "tremolo": not wishes[1].keeps, "donor": donor is not None}
    if recipe is None:
        weights = Curve(((0.0, read_weights(to, opened.names)),)) if to is not None else read_curve(curve or "", opened.names)
        settings = {name: chosen[name] for name in given if name in chosen} | {name: changes[name] for name in changes if asked[name]}
        pieces = list(sources or ())
    else:
        replay = read_recipe(recipe, opened.digest, opened.names, donor)
        weights, settings, rate = replay.to, replay.options, replay.rate
        pieces = [find_piece(replay, recipe, list(sources or ()))]
    options = kind.options(**settings)
    problems: list[tuple[Path, str]] = []
    jobs = [(path, target.with_name(f"{target.name}.wav")) for path, target in output_paths(pieces, out, problems=problems)]
    targets = [one for _, target in jobs for one in (target, target.with_suffix(".json"), *([target.with_suffix(".html")] if page else []))]
    check_not_inputs(targets, [voices, *(path for path, _ in jobs), *filter(None, (modulation, recipe))])
    for target in targets:
        check_absent(target, force=force)
    done: list[dict[str, Any]] = []
    with progress_bar("converting", quiet=json) as progress:
        for number, (path, target) in enumerate(jobs):

            def show(share: float, number: int = number) -> None:
                if progress is not None:
                    progress(round(1_000 * (number + share)), 1_000 * len(jobs))

            try:
                result, made = convert_file(
                    opened, path, target, weights, options, rate=rate, subtype=subtype, force=force, page=page, progress=show
                )  # fmt: skip
            except AudioFileError as error:
                problems.append((path, str(error)))
                continue
            done.append({"file": str(target), **made})
            if not json:
                for line in kind.remarks(result, opened.names):
                    print(printable(f"{path.name}: {line}"))
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    if json:
        print_json({"converted": done, "skipped": skipped})
    else:
        print_skipped(skipped)
        for one in done:
            print(printable(one["file"]))
    if not done:
        raise AudioFileError("no piece was converted; the reasons are above" if not json else "no piece was converted")
