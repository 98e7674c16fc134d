"""The tables of benchmarks/models.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lib.models.rows import CORPORA, PCA, SIZES, Row
from lib.page import table

NOTE = """Every row is one seed, trained for about {minutes} by the command line. *Minutes*: the whole command, with loading, calibration,
map and card. *Values/s*: latent values for a second of sound; for one latent a clip, over the mean length of a clip. *s/epoch*:
training alone, one epoch of clips and variations. *Validation*: the model's own error before the first step and after training (two
stages: of both, after training only; time-varying latents: % of a sound's level). *Unseen*: error of encoded and decoded features of
sounds never trained on and, in square brackets, of as many plain principal components of the same features; in dB or in % of a value
of 1, as in the view (magnitudes of `spectra` are far above 1), so views cannot be compared by it. *WAV*: log-mel error and, in
brackets, sound error of reconstructions of unseen sounds. *No model*: log-mel error of the preset's view alone. *Stdev*:
[source B](../sources.md)'s error of those reconstructions in its own view. *KL*: nats for a sound (time-varying latents: for a frame).
*Active*: latent dimensions whose mean varies by more than 0.01. *Distance*: Fréchet distance of {new} new sounds to held-out ones,
divided by that of real to real sounds. Unseen are whole kits and instruments; of toy corpora the test split. Rows are sorted by their
WAV error. See [measures](../measures.md)."""
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
    """Stored rows as Markdown: presets with their own settings, then families at equal latent size; one table for each corpus."""
    parts = [NOTE.format(minutes=f"{minutes:g} minute{'' if minutes == 1 else 's'}", new=new)]
    groups = [("every preset with its own settings", None), *((f"families at {size} latent dimensions", size) for size in SIZES)]
    for title, size in groups:
        for corpus in CORPORA:
            rows = [row for row in found if row.corpus == corpus and not row.control and row.dims == size]
            beside = [row for row in found if row.corpus == corpus and row.control and (row.dims is None or size in (None, row.dims))]
            if rows:
                toy = any("disentanglement" in found[row] for row in rows)
                rows.sort(key=lambda row: _error(found[row]))
                lines = [_line(row, found[row], toy=toy) for row in [*rows, *beside]]
                parts += [f"## {corpus}: {title}", table([*HEAD, *(TOY_HEAD if toy else ())], lines)]
                if size is not None and (verdict := _verdict({row.preset: found[row] for row in rows})):
                    parts.append(verdict)
    return "\n\n".join(parts)


def _error(values: Mapping[str, Any]) -> float:
    """Log-mel error of reconstructions of unseen sounds; infinite if the preset refused the corpus."""
    return float(values["copies"]["log_mel_db"]) if "copies" in values else math.inf


def _verdict(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A sentence that compares `oneshot` with the best other model with one latent a clip (sequence models have many times the values)."""
    points = {name: _error(values) for name, values in found.items() if not values.get("moving", False) and "copies" in values}
    own = points.pop("oneshot", None)
    if own is None or not points:
        return ""
    best = min(points, key=points.__getitem__)
    more = f"{100 * (points[best] / own - 1):+.0f} %"
    ours, other = _number(own), _number(points[best])
    return f"Least WAV error of a model with one latent a clip beside `oneshot` ({ours} dB): `{best}`, {other} dB, {more}."


def _line(row: Row, values: Mapping[str, Any], *, toy: bool) -> list[str]:
    empty = ["–"] * (len(HEAD) - 1 + (len(TOY_HEAD) if toy else 0))
    name = f"*{row.preset}*" if row.control else f"`{row.preset}`"
    if row.preset == PCA:
        name = f"*{PCA}, default view*"
    if "refused" in values:
        return [name, f"refused: {values['refused']}", *empty[1:]]
    reconstructed = values["copies"]
    wav = f"{_number(reconstructed['log_mel_db'])} ({_number(reconstructed['sound_db'])})"
    if "dims" not in values:
        empty[7], empty[9] = wav, _number(reconstructed["stdev_percent"])
        return [name, *empty]
    unit = values["unseen_unit"]
    pca = values["unseen_pca_error"]
    trained = "validation_error" in values
    active = values.get("active_units")
    cells = [
        f"{values['dims']}" + (" a step" if values["moving"] else ""),
        f"{values['parameters']:,}",
        _number(values["values_per_second"]),
        f"{values['seconds'] / 60:.1f}" if trained else "–",
        _number(values["seconds_an_epoch"]) if trained else "–",
        _validation(values) if trained else "–",
        f"{_number(values['unseen_error'])} {unit}" + (f" [{_number(pca)}]" if pca is not None else ""),
        wav,
        _number(values["no_model"]["log_mel_db"]),
        _number(reconstructed["stdev_percent"]),
        _number(values["kl_nats"]) if trained else "–",
        f"{active}" if active is not None else "–",
        _number(values["new"]["frechet_ratio"]),
    ]
    if toy:
        scores = values.get("disentanglement")
        cells += [f"{_number(scores['beta_vae'])} [{_number(scores['chance'])}]", _number(scores["mig"])] if scores else ["–", "–"]
    return [name, *cells]


def _validation(values: Mapping[str, Any]) -> str:
    initial = values.get("begun_error")
    return ("" if initial is None else f"{_number(initial)} → ") + f"{_number(values['validation_error'])} {values['unit']}"


def _number(value: float | None) -> str:
    """The number with three significant digits, more if it is large."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
