"""`timbrespace info X`: the parts of an instrument and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import InstrumentPath, Json

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.report.card import CardView

_STRIP_HELP = (
    "Write the instrument without names, latents and features of the training sounds. Recipes and pages that the unstripped one made "
    "hold names; make those with generate --anonymous."
)

_SPACE_HELP = "Statistics of the latent space instead: dimensions, KL, active units, histograms, correlations."


def info(
    instrument: InstrumentPath,
    sounds: Annotated[bool, typer.Option("--sounds", help="Also list the names of the training sounds.")] = False,
    strip: Annotated[
        str | None,
        typer.Option("--strip", metavar="FILE", help=_STRIP_HELP),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the stripped file, or the picture, if it exists.")] = False,
    space: Annotated[bool, typer.Option("--space", help=_SPACE_HELP)] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="With --space: also draw the statistics, .png or .svg.")
    ] = None,
    json: Json = False,
) -> None:
    """Show an instrument: what it can do in words, then the figures of its card and what they mean; or strip it for sharing."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.common.text import printable
    from timbrespace.contracts import ConfigError
    from timbrespace.instrument import Instrument
    from timbrespace.report.card import card_view

    if picture is not None and not space:
        raise ConfigError(f"--picture {picture} is given without --space, whose statistics it shows; give both")
    opened = Instrument.load(instrument)
    if space:
        if strip is not None or sounds:
            raise ConfigError("--space is given with --strip or --sounds; leave one of them out")
        print_space(opened, instrument, picture, force=force, json=json)
        return
    clips = opened.contents.clips
    hop = opened.model.stride * getattr(opened.representation, "view", opened.representation).hop
    timing = {"steps_a_second": round(opened.sample_rate / hop, 2) if hop else None, "takes_any_length": opened.longest is None}
    summary: dict[str, Any] = {
        "file_mb": round(instrument.stat().st_size / 1e6, 2),
        "sample_rate": opened.sample_rate,
        "channels": opened.channels,
        "longest_seconds": round(opened.contents.samples / opened.sample_rate, 3),
        "dims": opened.dims,
        "engine": opened.engine,
        "parameters": sum(parameter.numel() for parameter in opened.model.parameters()),
        "compression": round(_values_per_number(opened), 2),
        **(timing if opened.model.time_varying else {}),
        "categories": opened.categories,
        **({"conditions": opened.conditions} if opened.conditions else {}),
        "detail_of_new_sounds": _detail(opened),
        "controls": _controls(opened),
        **({"controls_while_held": held} if (held := _held_controls(opened)) else {}),
        "training_sounds_named": 0 if clips is None else len(clips.names),
        "settings": opened.contents.settings,
    }
    if strip is not None:
        check_not_inputs([Path(strip)], [instrument])
        opened.save(strip, strip=True, force=force)
        summary["stripped"] = strip
        if not json:
            megabytes = Path(strip).stat().st_size / 1e6
            print(f"{printable(strip)} ({megabytes:.1f} MB), without names, latents and features of the training sounds")
            return
    view = card_view(opened.card, opened.contents.settings)
    if json:
        summary["in_words"] = [line._asdict() for line in view.words]
        summary["advice"] = view.advice
        print_json(summary | {"card": opened.card} | ({"sounds": list(clips.names)} if sounds and clips else {}))
        return
    print("\n".join([*card_lines(opened.card), *note_lines(view.advice), ""]))
    print("\n".join(part_lines(summary)))
    print()
    for line in figure_lines(view):
        print(printable(line))
    if sounds and clips:
        print("\n".join(map(printable, clips.names)))


_PARTS = {
    "file_mb": ("file", " MB"), "sample_rate": ("sample rate", " Hz"), "longest_seconds": ("longest sound", " s"),
    "dims": ("numbers in the latent", ""), "engine": ("rendered by", ""),
    "compression": ("compression", " feature values for each number of the latent"),
}  # fmt: skip


def part_lines(summary: Mapping[str, Any]) -> list[str]:
    """Returns what an instrument consists of, a line or more for each part; a control has a line of its own."""
    from timbrespace.cli.common.text import hanging, printable

    lines = ["Parts"]
    for name, value in summary.items():
        label, unit = _PARTS.get(name, (name.replace("_", " "), ""))
        if name == "controls":
            lines += [f"  {label if one is value[0] else '':<24}{printable(one)}" for one in value]
        elif name != "settings":
            lines += hanging(f"  {label:<24}", printable(_value(value) + unit))
    return lines


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else str(value)


def print_space(opened: Instrument, path: Path, picture: Path | None, *, force: bool, json: bool) -> None:
    """Prints the statistics of the latent space and writes their picture. Raises ConfigError, OutputExistsError."""
    import sys

    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.common.text import printable
    from timbrespace.report.latents.picture import check_picture_name, write_latent_picture
    from timbrespace.report.latents.words import can_print_sketches, sentences, table

    if picture is not None:
        check_not_inputs([check_picture_name(picture)], [path])
        check_absent(picture, force=force)
    statistics = opened.statistics()
    if picture is not None:
        write_latent_picture(picture, statistics, title=f"Latent space of {path.stem}", force=force)
    if json:
        print_json(statistics.to_json() | {"in_words": sentences(statistics)} | ({"picture": str(picture)} if picture else {}))
        return
    for line in [*sentences(statistics), "", *table(statistics, sketches=can_print_sketches(sys.stdout.encoding))]:
        print(printable(line))
    if picture is not None:
        print(f"picture: {printable(picture)}")


def _values_per_number(instrument: Instrument) -> float:
    """Feature values for each number of the latent: of the longest clip, or of the frames of one step where the latent varies in time."""
    spec, model = instrument.model.spec, instrument.model
    frames = model.stride if model.time_varying else spec.frames
    return spec.parts * spec.bands * frames / max(1, model.inferred_dims)


def _detail(opened: Instrument) -> str:
    """Where the detail of new sounds comes from."""
    if opened.contents.notes is not None:
        return "partials and noise, as steady as the notes of the corpus"
    if not opened.model.noise_texture:
        return "none"
    return "noise texture" if opened.contents.detail is None else "drawn from statistics of the corpus"


def _controls(opened: Instrument) -> list[str]:
    """The named controls with ranges; none are fitted for a file of an earlier version, because that takes seconds."""
    from timbrespace.space.controls.fit import stored_controls
    from timbrespace.space.controls.wishes import control_text

    stored = stored_controls(opened.contents)
    return (
        ["of an earlier version: measured when `steer` needs them"] if stored is None else [control_text(one) for one in stored.offered()]
    )


def _held_controls(opened: Instrument) -> list[str]:
    """The named controls of an instrument that `play` holds, with ranges in spreads; none for others."""
    if not opened.contents.model.time_varying:
        return []
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.live.held.source import HeldSource

    try:
        ranges = HeldSource(opened.contents, title="this instrument").controls
    except TimbrespaceError:  # no spectra, so that it is not held
        return []
    noise = {"noisiness": " (with --held spectrum)"}
    return [f"{name} {low:+g} to {high:+g}{noise.get(name, '')}" for name, (low, high) in ranges.items()]


def card_lines(card: dict[str, Any]) -> list[str]:
    """Returns the card in words, wrapped. Parts that it lacks are left out: a card may be of an earlier version."""
    from timbrespace.report.verdicts import verdicts

    return [line for verdict in verdicts(card) for line in verdict_lines(*verdict[:3])]


def verdict_lines(about: str, word: str, text: str, *, indent: str = "") -> list[str]:
    """Returns one line of a card in words, "about: word: text", wrapped to the width of the terminal."""
    from timbrespace.cli.common.text import hanging, printable

    return hanging(f"{indent}{about + ':':<40}", printable(f"{word}{': ' if word and text else ''}{text}"))


def note_lines(notes: Sequence[str]) -> list[str]:
    """Returns notes and advice as lines that begin with "note ", wrapped."""
    from timbrespace.cli.common.text import hanging, printable

    return [line for note in notes for line in hanging("note  ", printable(note))]


def figure_lines(view: CardView) -> list[str]:
    """Returns the figures of a card as lines of text, with what their rows and columns mean."""
    lines = ["Figures"]
    lines += [f"  {row.label:<24}{row.value}  ({row.hint})" for row in view.figures]
    if view.table:
        lines.append(f"  Errors of imitations, {view.table_of}; smaller is better")
        lines.append(" " * 26 + "".join(f"{f'{column.heading} {column.unit}'.strip():>12}" for column in view.columns))
        lines += [f"  {row.name:<24}" + "".join(f"{value:>12}" for value in row.values) for row in view.table]
        lines += ["  What the columns mean"] + [f"    {column.heading + ':':<24}{column.meaning}" for column in view.columns]
        lines += ["  What the rows mean"] + [f"    {row.name + ':':<24}{row.meaning}" for row in view.table if row.meaning]
    return lines
