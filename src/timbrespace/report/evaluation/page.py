"""The page of an evaluation as one HTML file: words first, then sounds to compare by ear, then all figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.evaluation.evaluate import Evaluation, Example
from timbrespace.report.charts import Chart, group_chart
from timbrespace.report.diagnostics_page import sound_tiles
from timbrespace.report.evaluation.tables import (
    artefact_table,
    band_table,
    error_table,
    kind_table,
    likeness_table,
    side_by_side,
)
from timbrespace.report.evaluation.words import unmeasured, words
from timbrespace.report.templates import COLOURS, render
from timbrespace.wording import counted

_SKIPPED = 50  # named on the page


def write_evaluation(evaluation: Evaluation, path: Path | str, *, title: str | None = None, force: bool = False) -> Path:
    """Writes the page of an evaluation and returns its path. Raises OutputExistsError if the file exists and `force` is False."""
    path = Path(path)
    write_text(path, render_evaluation(evaluation, title=title), force=force)
    return path


def render_evaluation(evaluation: Evaluation, *, title: str | None = None) -> str:
    """Returns the page as HTML text. title: by default the names of the instruments."""
    values = evaluation.values
    instruments = values["instruments"]
    names = [one["name"] for one in instruments]
    page: dict[str, Any] = {
        "title": title or (" and ".join(names) if len(names) < 3 else f"{len(names)} instruments"),
        "about": f"Measured on {_about(values)}.",
        "card": None,
        "steps": [],
        "made_with": f"timbrespace {__version__}",
    }
    return render(
        "evaluation.html",
        page=page,
        instruments=[{"name": one["name"], "words": words(one), "unmeasured": unmeasured(one)} for one in instruments],
        overview=side_by_side(values),
        listening=[_listening(kind, lead, evaluation.examples) for kind, lead in _LISTENING],
        bands=_band_chart(instruments),
        groups=_groups(instruments),
        sounds=values["sounds"],
        skipped=values["skipped"][:_SKIPPED],
        skipped_more=max(0, len(values["skipped"]) - _SKIPPED),
        machine=values["machine"],
        styles=["page.css", "diagnostics.css", "evaluation.css"],
        scripts=["page.js"],
        script_data={"dots": [], "marks": [], "colours": COLOURS + 1},
    )


_LISTENING = (
    ("imitation", ("Imitations to listen to", "A good one, a middling one, a weak one and the worst. Click a picture to listen.")),
    ("new", ("New sounds", "Drawn at random.")),
    ("morph", ("Morphs", "Every second step; below each the cross-fade of the same two sounds, which is all that a mixer can do.")),
)


def _about(values: dict[str, Any]) -> str:
    sounds = values["sounds"]
    more = f" of {counted(sounds['files'], 'file')}" if sounds["left_out"] else ""
    return f"{counted(sounds['used'], 'sound')}{more} in “{sounds['name']}”"


def _listening(kind: str, lead: tuple[str, str], examples: list[Example]) -> dict[str, Any]:
    rows = [one for one in examples if one.kind == kind]
    return {
        "kind": kind,
        "title": lead[0],
        "lead": lead[1],
        "rows": [{"name": one.name, "tiles": sound_tiles(one.sounds, one.sample_rate)} for one in rows],
    }


def _band_chart(instruments: list[dict[str, Any]]) -> Chart | None:
    held = {one["name"]: one["imitation"]["bands"]["instrument"] for one in instruments if "bands" in one["imitation"]}
    if not held:
        return None
    names = list(next(iter(held.values())))
    series = {name: [bands[band]["median_change_db"] for band in names] for name, bands in held.items()}
    return group_chart("Change of each frequency band in imitations", names, series, unit="dB")


def _groups(instruments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tables of figures in sections: title, lead, one table for each instrument."""
    made = (
        ("errors", "Errors of imitations", "Sounds, encoded and decoded, beside rows that show what an error means.", error_table),
        ("likeness", "New sounds beside real ones", "Compared as groups, in fixed features of a sound.", likeness_table),
        ("kinds", "Kinds", "Whether new sounds are what they were made as.", kind_table),
        ("bands", "Frequency bands", "Whether imitations keep lows and highs.", band_table),
        ("faults", "Artefacts", "Faults that listeners reported of earlier systems, as numbers.", artefact_table),
    )
    out = []
    for name, title, lead, function in made:
        tables = [table for one in instruments if (table := function(one)) is not None]
        if tables:
            out.append({"name": name, "title": title, "lead": lead, "tables": tables})
    return out
