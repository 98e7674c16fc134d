"""`timbrespace map X --out map.html`: the map of an instrument, as a page to listen to, a picture or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.space.atlas.build import GivenPoint

_OUT_HELP = "Write the map: a page to listen to (.html), a picture (.png, .svg), or a table (.csv, .json)."
_METHOD_HELP = "Lay the sounds out anew: tsne | pca | umap. By default the map in the file."
_GENERATED_HELP = "New sounds to draw and put on the map. A stripped instrument has these only, 200 by default."
_COLOR_HELP = "Colour at first: category | cluster | brightness | decay | attack | noisiness | pitch | loudness | …"
_PLACE_HELP = "Also put your own files on the map: a file or a folder; repeatable. The map is not laid out anew."
_SOUNDS_HELP = "Training sounds that are rendered; a click on another plays the nearest of these. More make a larger page."
_SPOTS_HELP = "Places between the sounds that are rendered, on an even grid."
_ANONYMOUS_HELP = "For sharing: the page numbers the training sounds instead of naming them."


def map(
    instrument: InstrumentPath,
    out: Annotated[Path | None, typer.Option("--out", help=_OUT_HELP, show_default=False)] = None,
    method: Annotated[str | None, typer.Option("--method", help=_METHOD_HELP, show_default=False)] = None,
    generated: Annotated[int | None, typer.Option("--generated", metavar="N", help=_GENERATED_HELP, show_default=False)] = None,
    place: Annotated[list[Path] | None, typer.Option("--place", metavar="FILE|FOLDER", help=_PLACE_HELP)] = None,
    color: Annotated[str, typer.Option("--color", "--colour", help=_COLOR_HELP)] = "category",
    png: Annotated[Path | None, typer.Option("--png", help="Also write the map as a PNG picture.", show_default=False)] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Also write the map as an SVG picture.", show_default=False)] = None,
    sounds: Annotated[int, typer.Option("--sounds", metavar="N", help=_SOUNDS_HELP)] = 300,
    spots: Annotated[int, typer.Option("--spots", metavar="N", help=_SPOTS_HELP)] = 196,
    anonymous: Annotated[bool, typer.Option("--anonymous", help=_ANONYMOUS_HELP)] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Random seed of layout and sounds.")] = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw the map of an instrument: its training sounds, near ones side by side, to hear, search, select and export.

    The page is one file that loads nothing and holds no recordings: what sounds is the latent of each sound, decoded.
    """
    from timbrespace.audio.describe import DESCRIPTORS
    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.options import open_instrument
    from timbrespace.cli.common.text import printable, skipped_lines
    from timbrespace.contracts import ConfigError
    from timbrespace.report.map.page import GROUPS
    from timbrespace.wording import counted

    if color not in GROUPS and color not in DESCRIPTORS:
        raise ConfigError(f"--color is {color!r}, allowed is {', '.join([*GROUPS, *DESCRIPTORS])}")
    outputs = _outputs(out, png, svg, inputs=[instrument, *(place or [])], force=force)
    opened = open_instrument(instrument)
    opened = opened.anonymous() if anonymous else opened
    given, skipped = _encoded(opened, place or [], anonymous=anonymous)
    drawn = opened.map(method=method, generated=generated, given=given, seed=seed)
    with progress_bar("rendering", quiet=json) as progress:
        for path in outputs:
            drawn.save(path, title=f"Map of {instrument.stem}", color=color, sounds=sounds, places=spots, force=force, progress=progress)
    result: dict[str, Any] = {
        "sounds": {kind: drawn.points.kinds.count(kind) for kind in ("training", "new", "given")},
        "method": drawn.method,
        "clusters": drawn.clusters.titles,
        "color": color,
        "skipped": skipped,
        "written": [{"file": str(path), "bytes": path.stat().st_size} for path in outputs],
    }
    if json:
        print_json(result)
        return
    nouns = {"training": "training sound", "new": "new sound", "given": "given sound"}
    print(f"{', '.join(counted(number, nouns[kind]) for kind, number in result['sounds'].items() if number)}, laid out by {drawn.method}")
    if opened.contents.clips is None:
        print("this instrument was stripped of its training sounds; its map shows new sounds only")
    for line in skipped_lines(skipped, rest="--json lists all"):
        print(line)
    for path in outputs:
        print(f"{printable(path)}  {path.stat().st_size / 1e6:.1f} MB")


def _outputs(out: Path | None, png: Path | None, svg: Path | None, *, inputs: list[Path], force: bool) -> list[Path]:
    """The files to write, checked before any work. Raises ConfigError, OutputExistsError."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.contracts import ConfigError
    from timbrespace.report.map.sound_map import PAGES, PICTURES, TABLES

    outputs = [path for path in (out, png, svg) if path is not None]
    if not outputs:
        raise ConfigError("nothing says where to write the map; give --out map.html, or --png or --svg with a name")
    for path, option, allowed in ((out, "--out", PAGES + PICTURES + TABLES), (png, "--png", (".png",)), (svg, "--svg", (".svg",))):
        if path is not None and path.suffix.lower() not in allowed:
            raise ConfigError(f"{option} is {path.name!r}; its name must end in {' or '.join(allowed)}")
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise ConfigError("two outputs of the map have the same name; give each its own")
    check_not_inputs(outputs, inputs)
    for path in outputs:
        check_absent(path, force=force)
    return outputs


def _encoded(opened: Instrument, sources: list[Path], *, anonymous: bool) -> tuple[list[GivenPoint], list[dict[str, str]]]:
    """The files of `--place`, encoded, and those that were passed over, each with its reason. Raises TimbrespaceError."""
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.outputs import output_paths
    from timbrespace.space.atlas.build import GivenPoint

    problems: list[tuple[Path, str]] = []
    points, skipped = list[GivenPoint](), list[dict[str, str]]()
    for path, target in output_paths(sources, Path(), problems=problems) if sources else []:
        try:
            audio = opened.read(path)
            kind = opened.kind_of(audio, file=path)
            name = f"your sound {len(points) + 1}" if anonymous else target.as_posix()
            points.append(GivenPoint(name, opened.encode(audio), kind.category if kind else None))
        except TimbrespaceError as error:
            skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems] + skipped
    if sources and not points:
        why = f"{skipped[0]['file']}: {skipped[0]['reason']}" if skipped else "they hold no sound files"
        raise TimbrespaceError(f"nothing of --place could be put on the map ({why}); give a sound file, or a folder of them")
    return points, skipped
