"""`timbrespace info X`: the parts of an instrument and its card."""

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

_STRIP_HELP = (
    "Write the instrument without names, latents and features of the training sounds. Recipes and pages that the unstripped one made "
    "hold names; make those with generate --anonymous."
)


def info(
    instrument: InstrumentPath,
    sounds: Annotated[bool, typer.Option("--sounds", help="Also list the names of the training sounds.")] = False,
    strip: Annotated[
        str | None,
        typer.Option("--strip", metavar="FILE", help=_STRIP_HELP),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the stripped file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Show an instrument: corpus, training, reconstruction beside control rows, categories; or strip it for sharing."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.cli.common.text import printable
    from timbrespace.report.advice import advice_lines
    from timbrespace.synthesis.instrument import Instrument

    opened = Instrument.load(instrument)
    clips = opened.contents.clips
    hop = opened.model.stride * getattr(opened.representation, "view", opened.representation).hop
    timing = {"steps_a_second": round(opened.sample_rate / hop, 2) if hop else None, "takes_any_length": opened.longest is None}
    summary: dict[str, Any] = {
        "file_mb": round(instrument.stat().st_size / 1e6, 2),
        "sample_rate": opened.sample_rate,
        "channels": opened.channels,
        "longest_seconds": round(opened.contents.samples / opened.sample_rate, 3),
        "dims": opened.dims,
        **(timing if opened.model.time_varying else {}),
        "categories": opened.categories,
        **({"conditions": opened.conditions} if opened.conditions else {}),
        "training_sounds_named": 0 if clips is None else len(clips.names),
        "settings": opened.contents.settings,
    }
    if strip is not None:
        check_not_inputs([Path(strip)], [instrument])
        opened.save(strip, strip=True, force=force)
        summary["stripped"] = strip
    if json:
        summary["advice"] = advice_lines(opened.card, opened.contents.settings)
        print_json(summary | {"card": opened.card} | ({"sounds": list(clips.names)} if sounds and clips else {}))
        return
    for name, value in summary.items():
        if name != "settings":
            print(f"{name.replace('_', ' '):<22}{printable(', '.join(map(str, value)) if isinstance(value, list) else value)}")
    for line in [*card_lines(opened.card), *advice_lines(opened.card, opened.contents.settings)]:
        print(printable(line))
    if sounds and clips:
        print("\n".join(map(printable, clips.names)))


def card_lines(card: dict[str, Any]) -> list[str]:
    """Returns the card as lines of text. Parts that it lacks are left out: a card may be of an earlier version."""
    lines = []
    corpus, training, reconstruction, new_sounds = (_group(card, name) for name in ("corpus", "training", "reconstruction", "new_sounds"))
    if corpus:
        lines.append(f"corpus                {corpus.get('clips')} clips, {corpus.get('minutes')} min, {corpus.get('skipped')} skipped")
    if training:
        lines.append(
            f"training              {training.get('steps')} steps on {training.get('images')} sounds and variations, "
            f"validation {training.get('validation_error')} {training.get('unit')}, overfit ratio {training.get('overfit_ratio')}"
        )
        if isinstance(training.get("active_units"), int) and isinstance(kl := training.get("kl_per_dimension"), list):
            lines.append(f"latent                {training['active_units']} of {len(kl)} dimensions active")
    if reconstruction:
        lines.append(
            f"reconstruction        on {reconstruction.get('sounds')} sounds of the {reconstruction.get('on')} split"
            + (f", of which {reconstruction['repeats']} repeat a training sound" if reconstruction.get("repeats") else "")
            + ", mean over sounds:"
        )
        rows = _group(reconstruction, "rows")
        measures = next((list(_group(rows, name)) for name in rows), [])
        lines.append(" " * 26 + "".join(f"{_MEASURES.get(measure, measure):>12}" for measure in measures))
        for name in rows:
            lines.append(f"  {name:<24}" + "".join(f"{_number(_group(rows, name).get(measure)):>12}" for measure in measures))
    if new_sounds:
        reason = new_sounds.get("novelty_reason")
        novelty = f"median novelty {new_sounds.get('novelty_median')} (1: as new as held-out real sounds)"
        lines.append(
            f"new sounds            {f'novelty cannot be measured ({reason})' if reason else novelty}, "
            f"{new_sounds.get('copies')} copies of {new_sounds.get('sounds')}, {new_sounds.get('times_real_time')} x real time"
        )
    if card.get("expect"):
        lines.append(f"expect                {card['expect']}")
    return lines


def _number(value: object) -> str:
    """Two digits, or a dash for a value that is not a number."""
    return f"{value:.2f}" if isinstance(value, (int, float)) else "–"


def _group(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the card; empty where a foreign file holds another type."""
    group = values.get(name)
    return group if isinstance(group, dict) else {}
