"""`timbrespace represent FILES|FOLDER|CORPUS|synthetic:NAME --as REP --out DIR`: sounds to features, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, Json, OutFolder, Seed

if TYPE_CHECKING:
    from timbrespace.features.represent import Outputs
    from timbrespace.features.sources import Sources
    from timbrespace.representation.base import Representation


def represent(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|CORPUS|synthetic:NAME",
            help="Sound files and folders, one prepared corpus, or one synthetic corpus; with --back, files and folders of features.",
            show_default=False,
        ),
    ],
    out: OutFolder,
    name: Annotated[
        str | None, typer.Option("--as", metavar="REP", help="Representation: bands, mel, complex … An unknown name prints the full list.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Setting of the representation, such as bands=64; repeatable.")
    ] = None,
    array: Annotated[bool, typer.Option("--array", help="Write arrays NAME.npy (default if no other output is chosen).")] = False,
    picture: Annotated[bool, typer.Option("--picture", help="Write true-scale pictures NAME.png with axes and a colour bar.")] = False,
    image: Annotated[bool, typer.Option("--image", help="Write 8-bit grey images NAME.image.png, one pixel per value.")] = False,
    roundtrip: Annotated[bool, typer.Option("--roundtrip", help="Write encoded and decoded audio NAME.wav and print its errors.")] = False,
    stack: Annotated[bool, typer.Option("--stack", help="Write one array features.npy of all clips, with features.json.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Decode arrays, images or a stack to audio.")] = False,
    normalise: Annotated[
        str | None, typer.Option("--normalise", metavar="KIND", help="none | range | standard | band: fitted to all given sounds.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Cut or pad every sound to this length in s.")] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="1: mono, 2: stereo; by default 1, or that of the corpus.")] = None,
    rate: Annotated[int | None, typer.Option("--rate", help="Sample rate in Hz; by default 44100, or that of the corpus.")] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", help="Number of sounds of a synthetic corpus.")] = None,
    pixels_per_second: Annotated[
        float | None, typer.Option("--pixels-per-second", help="Time scale of pictures; by default 400, fewer for long sounds.")
    ] = None,
    limits: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="Lowest and highest value of the colours, for all pictures.")
    ] = None,
    subtype: Annotated[str, typer.Option("--format", help="WAV format: FLOAT is lossless; PCM_16 and PCM_24 clip.")] = "FLOAT",
    seed: Seed = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Convert sounds to features (arrays, images or pictures), listen to them after a round trip, or decode features to audio."""
    from timbrespace.cli.common.options import check_outputs
    from timbrespace.contracts import ConfigError
    from timbrespace.features.clips import samples_for
    from timbrespace.features.represent import Outputs
    from timbrespace.features.settings import build_view, parse_settings
    from timbrespace.features.sources import find_sources

    check_outputs(out, subtype=subtype)
    if back:
        options: dict[str, object] = {"--as": name, "--set": changes, "--array": array, "--picture": picture, "--image": image}
        options |= {"--roundtrip": roundtrip, "--stack": stack, "--seconds": seconds, "--channels": channels, "--rate": rate}
        options |= {"--count": count, "--normalise": normalise, "--pixels-per-second": pixels_per_second, "--range": limits}
        if given := [option for option, value in options.items() if value]:
            raise ConfigError(f"{given[0]} cannot be used with --back: the JSON beside an array holds its settings; leave it out")
        _decode([Path(source) for source in sources], out, subtype=subtype, seed=seed, force=force, json=json)
        return
    if stack and (picture or image or roundtrip or array):
        raise ConfigError("--stack writes one array only; run the command again for pictures, images, arrays or round trips")
    settings = parse_settings(name, changes)
    if normalise is not None:
        settings["normalisation"] = normalise
    found = find_sources(sources, out, channels=channels, rate=rate, count=count, seed=seed)
    view = build_view(settings, sample_rate=found.sample_rate, channels=found.channels)
    outputs = Outputs(
        array=array or not (picture or image or roundtrip), image=image, picture=picture, roundtrip=roundtrip, subtype=subtype, seed=seed,
        samples=samples_for(seconds, found.sample_rate), limits=limits, force=force,
    )  # fmt: skip
    if stack:
        _stack(found, view, settings, outputs, out, json=json)
    else:
        _represent(found, view, settings, outputs, out, pixels_per_second, json=json)


def _represent(
    sources: Sources,
    view: Representation,
    settings: dict[str, Any],
    outputs: Outputs,
    out: Path,
    pixels_per_second: float | None,
    *,
    json: bool,
) -> None:
    """A file or more for every clip."""
    from dataclasses import replace

    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.corpus.represent_output import print_clips
    from timbrespace.features.pictures import scale_for
    from timbrespace.features.represent import all_paths, represent_clips

    if outputs.picture:
        seconds = sources.longest_seconds if outputs.samples is None else outputs.samples / sources.sample_rate
        outputs = replace(outputs, pixels_per_second=scale_for(seconds, requested=pixels_per_second))
    if sources.bases is not None:
        paths = all_paths(sources.bases.values(), outputs)
        check_not_inputs(paths, sources.inputs)
        for path in paths:
            check_absent(path, force=outputs.force)
    _fit(sources, view, outputs, json=json)
    rows: list[dict[str, Any]] = []
    with progress_bar("representing", quiet=json) as progress:
        for done, row in enumerate(represent_clips(sources, view, settings, outputs, out)):
            (sources.skipped if "reason" in row else rows).append(row)
            if progress is not None:
                progress(done + 1, sources.count)
    print_clips(rows, sources.skipped, outputs, view, settings, out, json=json)


def _stack(sources: Sources, view: Representation, settings: dict[str, Any], outputs: Outputs, out: Path, *, json: bool) -> None:
    """One array for all clips."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.corpus.represent_output import print_stack
    from timbrespace.features.stack import load_stack, write_stack

    path = out / "features.npy"
    check_not_inputs([path, path.with_suffix(".json")], sources.inputs)
    check_absent(path, force=outputs.force)
    _fit(sources, view, outputs, json=json)
    options: dict[str, Any] = {"samples": outputs.samples, "total": sources.count, "force": outputs.force}
    with progress_bar("stacking", quiet=json) as progress:
        _, skipped = write_stack(path, sources.clips(), view, settings, progress=progress, **options)
    print_stack(load_stack(path), [*sources.skipped, *skipped], json=json)


def _decode(sources: list[Path], out: Path, *, subtype: str, seed: int, force: bool, json: bool) -> None:
    """An audio file for every array, image and clip of a stack."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.corpus.represent_output import print_decoded
    from timbrespace.features.decode import decode_features, find_jobs

    jobs, skipped = find_jobs(sources, out)
    check_not_inputs([job.target for job in jobs], [job.source for job in jobs])
    for job in jobs:
        check_absent(job.target, force=force)
    written: list[dict[str, Any]] = []
    with progress_bar("decoding", quiet=json) as progress:
        for done, row in enumerate(decode_features(jobs, subtype=subtype, seed=seed, force=force)):
            (skipped if "reason" in row else written).append(row)
            if progress is not None:
                progress(done + 1, len(jobs))
    print_decoded(written, skipped, out, json=json)


def _fit(sources: Sources, view: Representation, outputs: Outputs, *, json: bool) -> None:
    """A first pass over all clips if the representation is normalised."""
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.features.represent import fit_normalisation

    with progress_bar("fitting", quiet=json) as progress:
        update = None if progress is None else lambda done: progress(done, sources.count)
        fit_normalisation(view, sources.clips(), samples=outputs.samples, progress=update)
