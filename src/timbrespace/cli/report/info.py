"""`timbrespace info X`: what an instrument is, from its own card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from timbrespace.cli.common.options import InstrumentPath, Json

_MEASURES = {
    "log_mel_db": "log-mel dB",
    "sound_db": "sound dB",
    "attack_ms": "attack ms",
    "decay_percent": "decay %",
    "grain_db": "grain dB",
}


def info(
    instrument: InstrumentPath,
    sounds: Annotated[bool, typer.Option("--sounds", help="List the training sounds that the file names.")] = False,
    strip: Annotated[
        str | None, typer.Option("--strip", metavar="FILE", help="Write a copy without names, latents and features of the training sounds.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the stripped copy if it is there already.")] = False,
    json: Json = False,
) -> None:
    """Show what an instrument is: corpus, training, quality beside its control rows, categories; or strip it for sharing."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.synthesis.instrument import Instrument

    opened = Instrument.load(instrument)
    clips = opened.contents.clips
    hop = opened.model.stride * getattr(getattr(opened.representation, "view", opened.representation), "hop", 0)
    moves = {"steps_a_second": round(opened.sample_rate / hop, 2) if hop else None, "takes_any_length": opened.longest is None}
    facts: dict[str, Any] = {
        "file_mb": round(instrument.stat().st_size / 1e6, 2),
        "sample_rate": opened.sample_rate,
        "channels": opened.channels,
        "longest_seconds": round(opened.contents.samples / opened.sample_rate, 3),
        "dims": opened.dims,
        **(moves if opened.model.time_varying else {}),
        "categories": opened.categories,
        **({"conditions": opened.conditions} if opened.conditions else {}),
        "training_sounds_named": 0 if clips is None else len(clips.names),
        "settings": opened.contents.settings,
    }
    if strip is not None:
        check_not_inputs([Path(strip)], [instrument])
        opened.save(strip, strip=True, force=force)
        facts["stripped"] = strip
    if json:
        print_json(facts | {"card": opened.card} | ({"sounds": list(clips.names)} if sounds and clips else {}))
        return
    for name, value in facts.items():
        if name != "settings":
            print(f"{name.replace('_', ' '):<22}{', '.join(map(str, value)) if isinstance(value, list) else value}")
    for line in card_lines(opened.card):
        print(line)
    if sounds and clips:
        print("\n".join(clips.names))


def card_lines(card: dict[str, Any]) -> list[str]:
    """The card as lines to read; parts that are not there are left out."""
    lines = []
    corpus, training, quality, new = (_group(card, name) for name in ("corpus", "training", "reconstruction", "new_sounds"))
    if corpus:
        lines.append(f"corpus                {corpus.get('clips')} clips, {corpus.get('minutes')} min, {corpus.get('skipped')} skipped")
    if training:
        lines.append(
            f"training              {training.get('steps')} steps on {training.get('images')} sounds and variations, "
            f"validation {training.get('validation_error')} {training.get('unit')}, overfit ratio {training.get('overfit_ratio')}"
        )
        if isinstance(training.get("active_units"), int) and isinstance(held := training.get("kl_per_dimension"), list):
            lines.append(f"latent                {training['active_units']} of {len(held)} dimensions active")
    if quality:
        lines.append(f"reconstruction        on {quality.get('sounds')} sounds of the {quality.get('on')} split, mean over sounds:")
        rows = _group(quality, "rows")
        measures = next((list(_group(rows, name)) for name in rows), [])
        lines.append(" " * 26 + "".join(f"{_MEASURES.get(measure, measure):>12}" for measure in measures))
        for name in rows:
            lines.append(f"  {name:<24}" + "".join(f"{_figure(_group(rows, name).get(measure)):>12}" for measure in measures))
    if new:
        lines.append(
            f"new sounds            novelty {new.get('novelty_median')} (1: as new as unheard real ones), {new.get('copies')} copies of "
            f"{new.get('sounds')}, {new.get('times_real_time')} x real time"
        )
    if card.get("expect"):
        lines.append(f"expect                {card['expect']}")
    return lines


def _figure(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "–"


def _group(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the card; empty where a file made by others holds something else."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}
