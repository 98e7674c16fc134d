"""`timbrespace represent FILES|FOLDER|CORPUS|synthetic:NAME --as REP --out DIR`: sounds as features, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, Json, OutFolder, Seed

if TYPE_CHECKING:
    from timbrespace.cli.corpus.represent_plan import Plan
    from timbrespace.features.clips import Clip
    from timbrespace.features.represent import Wanted
    from timbrespace.representation.base import Representation


def represent(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES|FOLDER|CORPUS|synthetic:NAME",
            help="Sound files, folders of them, one prepared corpus or one synthetic corpus; with --back: what was written before.",
            show_default=False,
        ),
    ],
    out: OutFolder,
    view: Annotated[
        str | None, typer.Option("--as", metavar="REP", help="The representation: bands, mel, complex … (an unknown name lists them all).")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of it, as bands=64; repeatable.")
    ] = None,
    array: Annotated[bool, typer.Option("--array", help="Arrays NAME.npy (this is the default where nothing else is asked for).")] = False,
    picture: Annotated[bool, typer.Option("--picture", help="True-scale pictures NAME.png with axes and a colour bar.")] = False,
    image: Annotated[bool, typer.Option("--image", help="Plain 8-bit images NAME.image.png, one pixel a cell.")] = False,
    roundtrip: Annotated[bool, typer.Option("--roundtrip", help="Audio after the way there and back, NAME.wav, with its errors.")] = False,
    stack: Annotated[bool, typer.Option("--stack", help="One array features.npy for all clips, with features.json.")] = False,
    back: Annotated[bool, typer.Option("--back", help="The way back: from arrays, images or a stack to audio.")] = False,
    normalise: Annotated[
        str | None, typer.Option("--normalise", metavar="KIND", help="none | range | standard | band, fitted on all the sounds given.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Cut or pad every sound to so many s.")] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="1 mixes to mono, 2 is stereo; 1, or the corpus's own.")] = None,
    rate: Annotated[int | None, typer.Option("--rate", help="Sample rate in Hz; 44100, or the corpus's own.")] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", help="How many sounds of a synthetic corpus.")] = None,
    pixels_per_second: Annotated[
        float | None, typer.Option("--pixels-per-second", help="Of pictures; 400, fewer where minutes ask.")
    ] = None,
    limits: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="Lowest and highest value of the colours, the same in all pictures.")
    ] = None,
    subtype: Annotated[str, typer.Option("--format", help="Of WAV files: FLOAT loses nothing, PCM_16 and PCM_24 clip.")] = "FLOAT",
    seed: Seed = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Show sounds as features: arrays, images or true-scale pictures; hear them after a round trip; turn features into sound again."""
    from timbrespace.cli.common.options import check_outputs
    from timbrespace.cli.corpus.represent_plan import build_view, make_plan, parse_settings
    from timbrespace.contracts import ConfigError
    from timbrespace.features.clips import samples_for
    from timbrespace.features.represent import Wanted

    check_outputs(out, subtype=subtype)
    if back:
        from timbrespace.cli.corpus.represent_back import back as go_back

        there: dict[str, object] = {"--as": view, "--set": changes, "--array": array, "--picture": picture, "--image": image}
        there |= {"--roundtrip": roundtrip, "--stack": stack, "--seconds": seconds, "--channels": channels, "--rate": rate}
        there |= {"--count": count, "--normalise": normalise, "--pixels-per-second": pixels_per_second, "--range": limits}
        if given := [name for name, value in there.items() if value]:
            raise ConfigError(f"{given[0]} does not go with --back: the JSON beside an array says how it was made")
        go_back([Path(source) for source in sources], out, subtype=subtype, seed=seed, force=force, json=json)
        return
    if stack and (picture or image or roundtrip or array):
        raise ConfigError("--stack writes one array and nothing else; run once more for pictures, images, arrays or round trips")
    settings = parse_settings(view, changes)
    if normalise is not None:
        settings["normalisation"] = normalise
    plan = make_plan(sources, out, channels=channels, rate=rate, count=count, seed=seed)
    built = build_view(settings, plan)
    wanted = Wanted(
        array=array or not (picture or image or roundtrip), image=image, picture=picture, roundtrip=roundtrip, subtype=subtype, seed=seed,
        samples=samples_for(seconds, plan.rate), limits=limits, force=force,
    )  # fmt: skip
    if stack:
        _run_stack(plan, built, settings, wanted, out, json=json)
    else:
        _run(plan, built, settings, wanted, out, pixels_per_second, json=json)


def _run(
    plan: Plan, view: Representation, settings: dict[str, Any], wanted: Wanted, out: Path, pixels_per_second: float | None, *, json: bool
) -> None:
    from dataclasses import replace

    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.corpus.labels.values import is_relative_path
    from timbrespace.features.pictures import scale_for
    from timbrespace.features.represent import check_collisions, represent_clip
    from timbrespace.parallel import ordered_map

    if wanted.picture:
        seconds = plan.longest if wanted.samples is None else wanted.samples / plan.rate
        wanted = replace(wanted, pixels_per_second=scale_for(seconds, wanted=pixels_per_second))
    if plan.bases is not None:
        targets = check_collisions(list(plan.bases.values()), wanted)
        check_not_inputs(targets, plan.inputs)
        for target in targets:
            check_absent(target, force=wanted.force)

    def work(clip: Clip) -> dict[str, Any]:
        import torch

        from timbrespace.contracts import AudioFileError, CorpusError, FeatureFileError, ShapeError

        if workers > 1:
            torch.set_num_threads(1)
        base = plan.bases[clip.name] if plan.bases is not None else out / clip.name
        if not is_relative_path(clip.name) and plan.bases is None:
            raise TimbrespaceError(f"{clip.name!r} is no name for a file")
        try:
            return represent_clip(clip, base, view, settings, wanted)
        except (AudioFileError, CorpusError, FeatureFileError, ShapeError) as error:
            where = str(clip.path or clip.name)
            return {"file": where, "reason": str(error).removeprefix(f"{where}: ")}
        except MemoryError:
            return {"file": str(clip.path or clip.name), "reason": "too long for this machine's memory; cut it into shorter files"}

    _fit(plan, view, wanted, json=json)
    workers = _workers(plan)
    rows: list[dict[str, Any]] = []
    done = 0
    with progress_bar("representing", quiet=json) as progress:
        for row in ordered_map(work, plan.clips(), workers=workers):
            (plan.skipped if "reason" in row else rows).append(row)
            done += 1
            if progress is not None:
                progress(done, plan.total)
    from timbrespace.cli.corpus.represent_output import tell_rows

    tell_rows(rows, plan.skipped, wanted, view, settings, out, json=json)


def _run_stack(plan: Plan, view: Representation, settings: dict[str, Any], wanted: Wanted, out: Path, *, json: bool) -> None:
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.corpus.represent_output import tell_stack
    from timbrespace.features.stack import load_stack, write_stack

    target = out / "features.npy"
    check_not_inputs([target, target.with_suffix(".json")], plan.inputs)
    check_absent(target, force=wanted.force)
    _fit(plan, view, wanted, json=json)
    with progress_bar("stacking", quiet=json) as progress:
        _, skipped = write_stack(
            target, plan.clips(), view, settings, samples=wanted.samples, total=plan.total, force=wanted.force, progress=progress
        )
    tell_stack(load_stack(target), [*plan.skipped, *skipped], json=json)


def _fit(plan: Plan, view: Representation, wanted: Wanted, *, json: bool) -> None:
    """A first pass over all sounds, where the view is normalised."""
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.features.represent import fit

    with progress_bar("fitting", quiet=json) as progress:
        fit(view, plan.clips(), samples=wanted.samples, progress=None if progress is None else lambda done: progress(done, plan.total))


def _workers(plan: Plan) -> int:
    """Two sounds at a time or four, one where minutes would fill the memory several times over."""
    import os

    return 1 if plan.total < 2 or plan.longest > 60 else min(4, os.cpu_count() or 1)
