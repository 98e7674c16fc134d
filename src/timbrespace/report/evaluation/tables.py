"""The tables of an evaluation as text: instruments side by side, errors with their control rows, bands, kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from timbrespace.evaluation.artefacts import ARTEFACTS
from timbrespace.evaluation.reconstruction import MEASURES
from timbrespace.evaluation.spectral_errors import BANDS_HZ, FURTHER
from timbrespace.report.card import ROWS

MEANINGS = ROWS | {
    "plain PCA": "as many principal components as the instrument has numbers, of its training sounds: it must do better",
    "mean of the corpus": "one sound in place of all: the mean spectrogram of the training sounds",
}


@dataclass(frozen=True)
class TableRow:
    """A row: name, explanation, and a text for each column."""

    name: str
    meaning: str
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A table. note: a sentence above it."""

    title: str
    columns: list[str]
    rows: list[TableRow] = field(default_factory=list)
    note: str = ""
    first: str = ""


def side_by_side(values: dict[str, Any]) -> Table:
    """Returns the main figures of all instruments, one column each, with the best possible values and those of real sounds."""
    instruments = values["instruments"]
    rows = []
    for name, meaning, best, cell in _FIGURES:
        cells = [cell(one) for one in instruments]
        if any(text != "–" for text in cells):
            rows.append(TableRow(name, meaning, [*cells, best]))
    common = values["sounds"].get("common")
    note = "" if len(instruments) < 2 else _comparison_note(values, common)
    return Table(
        "Side by side" if len(instruments) > 1 else "The main figures", [*(one["name"] for one in instruments), "best"], rows, note
    )


def _comparison_note(values: dict[str, Any], common: int | None) -> str:
    if common:
        return f"Imitations are of the same sounds: {common} that none of the instruments learned."
    if len({one["sounds"]["measured_on"] for one in values["instruments"]}) > 1:
        return "The instruments were measured on different sounds, because some learned these: their imitations do not compare."
    return ""


def error_table(instrument: dict[str, Any]) -> Table | None:
    """Returns the errors of imitations with the control rows."""
    found = instrument["imitation"]
    if "rows" not in found:
        return None
    keys = MEASURES | {key: heading for key, heading in FURTHER.items() if key != "si_sdr_db" or found["si_sdr"]["meaningful"]}
    rows = [TableRow(name, MEANINGS.get(name, ""), [_mean(row[key]) for key in keys]) for name, row in found["rows"].items()]
    own = instrument["imitation_of_trained"]
    if "errors" in own and instrument["sounds"]["measured_on"] != "trained":
        cells = [_mean(own["errors"][key]) for key in keys]
        rows.insert(1, TableRow("sounds it learned", f"{own['sounds']} sounds of its training, encoded and decoded", cells))
    on = "that it learned" if instrument["sounds"]["measured_on"] == "trained" else "that it did not learn"
    note = f"Means over {found['sounds']} sounds {on}, with 95 % intervals; smaller is better"
    note += ", but for SI-SDR." if "si_sdr_db" in keys else "."
    if found.get("learned_sounds"):
        note += f" Plain PCA, the mean and the nearest sound are of {found['learned_sounds']} training sounds."
    return Table(instrument["name"], list(keys.values()), rows, note, "reconstruction")


def band_table(instrument: dict[str, Any]) -> Table | None:
    """Returns the change of each frequency band and its error."""
    found = instrument["imitation"].get("bands")
    if not found:
        return None
    own, true = found["instrument"], found["true features"]
    edges = [*BANDS_HZ.values(), 22_050.0]
    rows = []
    for k, name in enumerate(BANDS_HZ):
        one, least = own[name], true[name]
        cells = [_signed(one["median_change_db"]), _number(one["error_db"]), _number(least["error_db"]), str(one["sounds"])]
        rows.append(TableRow(name, f"{edges[k]:,.0f} to {edges[k + 1]:,.0f} Hz", cells))
    note = "Change: median over sounds, of imitations of the same energy; a lost band is far below 0. Error: of the band's level over time."
    return Table(instrument["name"], ["change (dB)", "error (dB)", "true features (dB)", "sounds"], rows, note, "band")


def likeness_table(instrument: dict[str, Any]) -> Table | None:
    """Returns the distribution of new sounds beside that of real ones."""
    found = instrument["likeness"]
    if "n" not in found:
        return None
    rows = [TableRow(name, meaning, [cell(found), real(found)]) for name, meaning, cell, real in _LIKENESS]
    which = "that it learned" if found["against"] == "trained" else "that it did not learn"
    note = f"{found['n']} sounds a side; real ones {which}. Intervals are 95 %."
    return Table(instrument["name"], ["new sounds", "real sounds"], rows, note, "measure")


def artefact_table(instrument: dict[str, Any]) -> Table | None:
    """Returns the artefact metrics of new sounds beside real ones."""
    found = {key: one for key, one in instrument["artefacts"].items() if key in ARTEFACTS}
    if not found:
        return None
    rows = [TableRow(one["heading"], "", [_number(one["new"]), _number(one["real"]), _signed(one["off"])]) for one in found.values()]
    note = "No value is good or bad by itself: the goal is that of real sounds. Off: their difference, in deviations of real sounds."
    return Table(instrument["name"], ["new", "real", "off"], rows, note, "metric")


def kind_table(instrument: dict[str, Any]) -> Table | None:
    """Returns how many new and real sounds of each category a classifier recognises."""
    found = instrument["kinds"]
    if "new" not in found:
        return None
    real = (found.get("real") or {}).get("categories", {})
    new = found["new"]["categories"]
    errors = instrument["imitation"].get("categories", {})
    names = [name for name in found["categories"] if name in new or name in real]

    def share(values: dict[str, Any], name: str) -> str:
        return f"{100 * values[name]['share']:.0f} % of {values[name]['sounds']}" if name in values else "–"

    rows = [TableRow(name, "", [share(new, name), share(real, name), _number(errors.get(name, {}).get("mean"))]) for name in names]
    rows.insert(0, TableRow("all", "", [_percent(found["new"]["accuracy"]), _percent((found.get("real") or {}).get("accuracy")), ""]))
    note = f"A classifier learned the categories from real sounds; the largest category alone would give {_percent(found['chance'])}."
    return Table(instrument["name"], ["new, recognised", "real, recognised", "log-mel error (dB)"], rows, note, "category")


def text_lines(table: Table) -> list[str]:
    """Returns a table as lines for the terminal."""
    cells = [["", *table.columns], *([row.name, *row.cells] for row in table.rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]


def _mean(value: dict[str, Any]) -> str:
    if not value["count"] or value["mean"] is None:
        return "–"
    digits = 2 if abs(value["mean"]) < 100 else 0
    return f"{value['mean']:.{digits}f} ({value['low']:.{digits}f}–{value['high']:.{digits}f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _with(found: dict[str, Any], intervals: dict[str, Any], key: str) -> str:
    """A figure with its interval."""
    between = intervals.get(key)
    return _number(found.get(key)) + (f" ({between[0]:.2f}–{between[1]:.2f})" if between and found.get(key) is not None else "")


def _share(found: dict[str, Any], intervals: dict[str, Any], key: str) -> str:
    between = intervals.get(key)
    return _percent(found.get(key)) + (f" ({100 * between[0]:.0f}–{100 * between[1]:.0f})" if between else "")


def _figure(key: str) -> Any:
    return lambda found: _with(found, found["intervals"], key)


def _as_share(key: str) -> Any:
    return lambda found: _share(found, found["intervals"], key)


def _discrepancy(prefix: str = "") -> Any:
    return lambda found: f"{found[f'{prefix}mmd']:.4f} (p {found[f'{prefix}mmd_p']:.3f})"


def _one(key: str) -> Any:
    """1 where the measure was taken: it is in units of real sounds."""
    return lambda found: "–" if found[key] is None else "1.00"


# Heading, meaning, text of the new sounds, text of the real ones.
_LIKENESS: list[tuple[str, str, Any, Any]] = [
    ("Fréchet ratio", "distance as a group, over that between real sounds; 1 is best", _figure("frechet_ratio"), _one("frechet_ratio")),
    ("two-sample accuracy", "how often a classifier finds which are new; 50 % is best", _as_share("accuracy"), _as_share("real_accuracy")),
    ("MMD²", "squared maximum mean discrepancy; p: how likely one distribution gives as much", _discrepancy(), _discrepancy("real_")),
    ("precision", "new sounds among real ones", _as_share("precision"), _as_share("real_precision")),
    ("recall", "real sounds among new ones", _as_share("recall"), _as_share("real_recall")),
    ("density", "how densely real sounds surround new ones", _figure("density"), _figure("real_density")),
    ("coverage", "real sounds with a new one nearby", _as_share("coverage"), _as_share("real_coverage")),
    ("different sounds", "effective number among as many (Vendi score)", _figure("effective_number"), _figure("real_effective_number")),
    ("duplicates", "new sounds that repeat another new one", _as_share("duplicates"), lambda found: ""),
    ("novelty", "distance to the nearest training sound over that of real sounds; about 1 is best", _figure("novelty"), _one("novelty")),
    ("copies", "sounds nearer than 1 dB to a training sound", _as_share("copies"), _as_share("real_copies")),
]


def _part(instrument: dict[str, Any], *path: str) -> Any:
    """A value deep in the parts of an instrument; None where it was not measured."""
    value: Any = instrument
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _error(row: str, key: str) -> Any:
    return lambda one: _mean(found) if (found := _part(one, "imitation", "rows", row, key)) else "–"


def _likeness(key: str, *, share: bool = False) -> Any:
    def cell(one: dict[str, Any]) -> str:
        found = one["likeness"]
        if found.get(key) is None:
            return "–"
        return (_share if share else _with)(found, found["intervals"], key)

    return cell


def _time(*path: str) -> Any:
    return lambda one: "–" if (found := _part(one, *path)) is None else f"{1000 * found:.0f} ms"


def _of_units(one: dict[str, Any]) -> str:
    latent = one["latent"]
    return f"{latent['active_units']} of {latent['dims']}" if "active_units" in latent else "–"


def _accuracy(one: dict[str, Any]) -> str:
    new, real = _part(one, "kinds", "new", "accuracy"), _part(one, "kinds", "real", "accuracy")
    return "–" if new is None else _percent(new) + ("" if real is None else f" (real {_percent(real)})")


_FIGURES: list[tuple[str, str, str, Any]] = [
    ("log-mel error (dB)", "of imitations, over the first 1.5 s", "0", _error("instrument", "log_mel_db")),
    ("… plain PCA", "the same of as many principal components", "", _error("plain PCA", "log_mel_db")),
    ("… true features", "the least possible, without a model", "", _error("true features", "log_mel_db")),
    ("sound error (dB)", "while the original sounds", "0", _error("instrument", "sound_db")),
    ("log-spectral distance (dB)", "level not matched", "0", _error("instrument", "lsd_db")),
    ("multi-resolution STFT", "three windows at once", "0", _error("instrument", "mr_stft")),
    ("source B's stdev (%)", "in percent of full scale", "0", _error("instrument", "stdev_percent")),
    ("Fréchet ratio", "new sounds as a group against real ones", "1", _likeness("frechet_ratio")),
    ("two-sample accuracy", "how often new ones are found among real ones", "50 %", _likeness("accuracy", share=True)),
    ("coverage", "real sounds with a new one nearby", "100 %", _likeness("coverage", share=True)),
    ("novelty", "0 copies, about 1 as new as real sounds", "1", _likeness("novelty")),
    ("copies", "of the new sounds", "0", lambda one: str(one["novelty"]["copies"]) if "copies" in one["novelty"] else "–"),
    ("variety (× real)", "mean distance between new sounds", "1", lambda one: _number(_part(one, "artefacts", "variety", "new"))),
    ("kinds recognised", "new sounds whose category a classifier finds", "as real", _accuracy),
    ("morphs, largest step", "over the mean step", "1", lambda one: _number(_part(one, "morphs", "morph", "evenness"))),
    ("active units", "numbers of the latent that are used", "all", _of_units),
    ("MIG", "separation of known factors", "1", lambda one: _number(_part(one, "disentanglement", "mig"))),
    ("SAP", "the same by lines", "1", lambda one: _number(_part(one, "disentanglement", "sap"))),
    ("DCI disentanglement", "the same by trees", "1", lambda one: _number(_part(one, "disentanglement", "dci_disentanglement"))),
    ("β-VAE score", "the same by shared factors", "1", lambda one: _number(_part(one, "disentanglement", "beta_vae"))),
    ("one new sound", "alone, in a warm process", "", _time("speed", "one_new_seconds")),
    ("encoding a sound", "with its refinement", "", _time("speed", "encode_seconds")),
    ("parameters", "of the model", "", lambda one: f"{one['parameters']:,}"),
]
