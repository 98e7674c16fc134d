"""What benchmarks/models.py prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from common import table
from models_rows import CORPORA, PCA, SIZES, Row

NOTE = """Every row is one seed, trained for about {minutes} by the command line; *minutes* is what that took in all, loading,
calibration, map and card included. *Values/s*: latent numbers a second of sound; of one point a clip, over the mean clip. *s/epoch*:
training alone, over clips and variations. *Validation*: the model's own error before the first step and when it has learned (of two stages,
of both and the end alone; where latents move, % of a sound's own level), *unseen*:
features there and back on sounds never trained on, and in square brackets as many plain principal components of the same features; dB or
% of a value of 1, as the view has it (magnitudes of `spectra` reach far above 1), so that these do not compare between views. *WAV*:
log-mel error and, in brackets, sound error of copies of unseen sounds; *no model*: the log-mel error of the preset's view there and back
alone; *stdev*: source B's, of those copies through its own view.
*KL*: nats a sound (of latents that move, a frame); *active*: latent dimensions whose mean varies by more than 0.01. *Distance*: Fréchet
distance of {new} new sounds to held-out ones over that of real to real. Unseen are whole kits and instruments; of toy corpora the test
split. Rows are in the order of their WAV error. See [measures](measures.md)."""
HEAD = (
    "model",
    "latent",
    "parameters",
    "values/s",
    "minutes",
    "s/epoch",
    "validation",
    "unseen [PCA]",
    "WAV (dB)",
    "no model (dB)",
    "stdev (%)",
    "KL",
    "active",
    "distance",
)
TOY_HEAD = ("β-VAE score [chance]", "MIG")


def tables(found: Mapping[Row, Mapping[str, Any]], *, minutes: float, new: int) -> str:
    """Stored results as Markdown: presets as they are, then families at equal latent size, a table a corpus."""
    parts = [NOTE.format(minutes=f"{minutes:g} minute{'' if minutes == 1 else 's'}", new=new)]
    groups = [("every preset, the source's own settings", None), *((f"families at {size} latent dimensions", size) for size in SIZES)]
    for title, size in groups:
        for corpus in CORPORA:
            rows = [row for row in found if row.corpus == corpus and not row.control and row.dims == size]
            beside = [row for row in found if row.corpus == corpus and row.control and (row.dims is None or size in (None, row.dims))]
            if rows:
                toy = any("disentanglement" in found[row] for row in rows)
                rows.sort(key=lambda row: _error(found[row]))
                lines = [_line(row, found[row], toy=toy) for row in [*rows, *beside]]
                parts += [f"**{corpus}: {title}**", table([*HEAD, *(TOY_HEAD if toy else ())], lines)]
                if size is not None and (said := _verdict({row.preset: found[row] for row in rows})):
                    parts.append(said)
    return "\n\n".join(parts)


def _error(figures: Mapping[str, Any]) -> float:
    """Log-mel error of copies of unseen sounds; without end where a preset refused."""
    return float(figures["copies"]["log_mel_db"]) if "copies" in figures else math.inf


def _verdict(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Where `oneshot` stands among models of one point a clip; those of a path have many times the numbers for a sound."""
    points = {name: _error(figures) for name, figures in found.items() if not figures.get("moving", False) and "copies" in figures}
    own = points.pop("oneshot", None)
    if own is None or not points:
        return ""
    best = min(points, key=points.__getitem__)
    more = f"{100 * (points[best] / own - 1):+.0f} %"
    return f"Least WAV error of one point a clip beside `oneshot` ({_number(own)} dB): `{best}`, {_number(points[best])} dB, {more}."


def _line(row: Row, figures: Mapping[str, Any], *, toy: bool) -> list[str]:
    empty = ["–"] * (len(HEAD) - 1 + (len(TOY_HEAD) if toy else 0))
    name = f"*{row.preset}*" if row.control else f"`{row.preset}`"
    if row.preset == PCA:
        name = f"*{PCA}, default view*"
    if "refused" in figures:
        return [name, f"refused: {figures['refused']}", *empty[1:]]
    copied = figures["copies"]
    wav = f"{_number(copied['log_mel_db'])} ({_number(copied['sound_db'])})"
    if "dims" not in figures:
        empty[7], empty[9] = wav, _number(copied["stdev_percent"])
        return [name, *empty]
    unit = figures["unseen_unit"]
    pca = figures["unseen_pca_error"]
    trained = "validation_error" in figures
    active = figures.get("active_units")
    cells = [
        f"{figures['dims']}" + (" a step" if figures["moving"] else ""),
        f"{figures['parameters']:,}",
        _number(figures["values_per_second"]),
        f"{figures['seconds'] / 60:.1f}" if trained else "–",
        _number(figures["seconds_an_epoch"]) if trained else "–",
        _learned(figures) if trained else "–",
        f"{_number(figures['unseen_error'])} {unit}" + (f" [{_number(pca)}]" if pca is not None else ""),
        wav,
        _number(figures["no_model"]["log_mel_db"]),
        _number(copied["stdev_percent"]),
        _number(figures["kl_nats"]) if trained else "–",
        f"{active}" if active is not None else "–",
        _number(figures["new"]["frechet_ratio"]),
    ]
    if toy:
        told = figures.get("disentanglement")
        cells += [f"{_number(told['beta_vae'])} [{_number(told['chance'])}]", _number(told["mig"])] if told else ["–", "–"]
    return [name, *cells]


def _learned(figures: Mapping[str, Any]) -> str:
    begun = figures.get("begun_error")
    return ("" if begun is None else f"{_number(begun)} → ") + f"{_number(figures['validation_error'])} {figures['unit']}"


def _number(value: float | None) -> str:
    """Three figures, more for large numbers."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
