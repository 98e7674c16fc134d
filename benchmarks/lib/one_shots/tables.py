"""The tables of benchmarks/one_shots.py."""

from __future__ import annotations

from statistics import mean
from typing import Any

from lib.bench import KEPT_AWAY
from lib.page import table
from timbrespace.evaluation.artefacts import ARTEFACTS

_COST = {"train_seconds": 0, "steps": 0, "parameters": 0, "peak_mb": 0, "file_mb": 1, "generate_64_seconds": 1}  # digits

NOTE = """Means over the seeds of a setting, lowest and highest seed in brackets where there are several. *Unseen*: {unseen}. A setting
without a preset's name is `oneshot`. *Feature errors*: RMSE of features, encoded and decoded without audio, and the difference to
plain PCA of the same size on the same sounds in percent. Every preset has its own view, so feature errors of different presets
cannot be compared; *reconstructions* can. *Reconstructions*: WAV to WAV, [measures](../measures.md); plain PCA has `oneshot`'s
size, one row for each setting. *New sounds*: 300 against the held-out files of the trained kits; two-sample accuracy of real
halves in square brackets."""
ARTEFACTS_NOTE = """Metrics of the artefacts that listeners reported of [source B](../sources.md)'s sounds, for 300 new sounds and, in
square brackets, for the held-out real ones, which are the goal; computed by `evaluation/artefacts.py`. *Variety*: mean distance between
pairs over that of real ones (averaging). *Tail*: level of the last tenth, *lingering*: share of the length 40 to 72 dB down
(noisy tails). *Stutter*: changes of level at the frame rate over those beside it. *Flatness of highs*: of the energy over time
above 4 kHz (phasiness). *Partials*: distance of partials 4 to 10 from multiples of the fundamental, and how many are present.
*Clicks*: jump at either end in % of the peak. *Highs*: energy above 8 kHz (dead highs)."""


def tables(found: list[dict[str, Any]]) -> str:
    """Stored results as Markdown."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault(one["setting"], []).append(one)
    unseen = "; ".join(f"{what}: {', '.join(names)}" for what, names in KEPT_AWAY.items())

    def cell(group: list[dict[str, Any]], *keys: str, digits: int = 2, unit: str = "") -> str:
        values = []
        for one in group:
            value: Any = one
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None and value == value:  # NaN: nothing to measure
                values.append(float(value))
        if not values:
            return "–"
        text = f"{mean(values):.{digits}f}"
        return (text if len(values) == 1 else f"{text} ({min(values):.{digits}f}–{max(values):.{digits}f})") + unit

    latent, reconstructed, new, artefacts, cost = [], [], [], [], []
    for setting, group in groups.items():
        unit = " " + group[0]["latent"].get("unit", "dB")
        levels = (cell(group, "latent", key, unit=unit) for key in ("instrument", "plain PCA"))
        under = cell(group, "latent", "under_pca_percent", digits=1, unit=" %")
        latent.append([setting, str(len(group)), cell(group, "latent", "dims", digits=0), *levels, under])
        for name in group[0]["copies"]:
            errors = [cell(group, "copies", name, key) for key in ("log_mel_db", "sound_db", "attack_ms", "decay_percent", "grain_db")]
            reconstructed.append([setting, name, *errors[:3], cell(group, "attack_median_ms", name, digits=1), *errors[3:]])
        accuracy = f"{cell(group, 'new', 'accuracy')} [{cell(group, 'new', 'real_accuracy')}]"
        likely = (cell(group, "new", key) for key in ("frechet_ratio", "precision", "recall"))
        new.append([setting, *likely, accuracy, cell(group, "new", "novelty"), cell(group, "new", "copies")])
        beside = (f"{cell(group, 'faults', key, 'new')} [{cell(group, 'faults', key, 'real')}]" for key in ARTEFACTS)
        artefacts.append([setting, *beside])
        cost.append([setting, *(cell(group, "cost", key, digits=digits) for key, digits in _COST.items())])
    columns = ["log-mel error (dB)", "sound error (dB)", "attack (ms)", "attack, median", "decay (%)", "grain (dB)"]
    parts = [
        NOTE.format(unseen=unseen),
        "## Feature errors of unseen sounds",
        table(["setting", "seeds", "latent size", "instrument", "plain PCA", "below it"], latent),
        "## Reconstructions of unseen sounds",
        table(["setting", "reconstruction", *columns], reconstructed),
        "## New sounds against held-out real ones",
        table(["setting", "Fréchet ratio", "precision", "recall", "two-sample accuracy", "novelty", "copies"], new),
        "## Artefacts",
        ARTEFACTS_NOTE,
        table(["setting", *ARTEFACTS.values()], artefacts),
        "## Cost",
        table(
            ["setting", "training, in all (s)", "steps", "parameters", "peak memory (MB)", "file (MB)", "`generate -n 64`, in all (s)"],
            cost,
        ),
    ]
    return "\n\n".join(parts)
