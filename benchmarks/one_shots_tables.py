"""What benchmarks/one_shots.py prints."""

from __future__ import annotations

from statistics import mean
from typing import Any

from common import table
from path import UNSEEN
from timbrespace.evaluation.artefacts import FAULTS

KEPT_AWAY = {"drums": UNSEEN, "notes": ("viola", "trumpet", "lead", "kalimba")}
_COST = {"train_seconds": 0, "steps": 0, "parameters": 0, "peak_mb": 0, "file_mb": 1, "generate_64_seconds": 1}  # digits

NOTE = """Means over the seeds of a setting, lowest and highest seed in brackets where there are several. *Unseen*: {unseen}. A setting
without a preset's name is `oneshot`. *Latent level*: RMSE of features there and back, no audio made, in percent under plain PCA of the
same size on the same sounds; each preset in its own view, so that levels of different presets do not compare (*copies* do).
*Copies*: WAV to WAV, by the [measures](measures.md); plain PCA at `oneshot`'s size, once a setting. *New sounds*: 300 against the
held-out files of the trained kits; real halves told apart in square brackets."""
FAULTS_NOTE = """The faults heard in the sounds of source B, as figures of 300 new sounds, and in square brackets of the held-out real
ones, which are the goal: see `evaluation/faults.py`. *Variety*: mean distance between pairs over that of real ones (averaging).
*Tail*: level of the last tenth, *lingering*: share of the length 40 to 72 dB down (noisy tails). *Stutter*: changes of level at the
frame rate over those beside it. *Flatness of highs*: of the energy over time above 4 kHz (phasiness). *Partials*: distance of partials
4 to 10 from multiples of the fundamental, and how many are there. *Clicks*: jump at either end in % of the peak. *Highs*: energy above
8 kHz (dead highs)."""


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

    latent, copied, new, faulty, cost = [], [], [], [], []
    for setting, group in groups.items():
        unit = " " + group[0]["latent"].get("unit", "dB")
        levels = (cell(group, "latent", key, unit=unit) for key in ("instrument", "plain PCA"))
        under = cell(group, "latent", "under_pca_percent", digits=1, unit=" %")
        latent.append([setting, str(len(group)), cell(group, "latent", "dims", digits=0), *levels, under])
        for name in group[0]["copies"]:
            figures = [cell(group, "copies", name, key) for key in ("log_mel_db", "sound_db", "attack_ms", "decay_percent", "grain_db")]
            copied.append([setting, name, *figures[:3], cell(group, "attack_median_ms", name, digits=1), *figures[3:]])
        told = f"{cell(group, 'new', 'accuracy')} [{cell(group, 'new', 'real_accuracy')}]"
        likely = (cell(group, "new", key) for key in ("frechet_ratio", "precision", "recall"))
        new.append([setting, *likely, told, cell(group, "new", "novelty"), cell(group, "new", "copies")])
        beside = (f"{cell(group, 'faults', key, 'new')} [{cell(group, 'faults', key, 'real')}]" for key in FAULTS)
        faulty.append([setting, *beside])
        cost.append([setting, *(cell(group, "cost", key, digits=digits) for key, digits in _COST.items())])
    errors = ["log-mel error (dB)", "sound error (dB)", "attack (ms)", "attack, median", "decay (%)", "grain (dB)"]
    parts = [
        NOTE.format(unseen=unseen),
        "**Unseen, latent level**",
        table(["setting", "seeds", "latent size", "instrument", "plain PCA", "under it"], latent),
        "**Unseen, copies**",
        table(["setting", "copy", *errors], copied),
        "**New sounds**",
        table(["setting", "Fréchet ratio", "precision", "recall", "told apart", "novelty", "copies"], new),
        "**Faults**",
        FAULTS_NOTE,
        table(["setting", *FAULTS.values()], faulty),
        "**Cost**",
        table(
            ["setting", "training, in all (s)", "steps", "parameters", "peak memory (MB)", "file (MB)", "`generate -n 64`, in all (s)"],
            cost,
        ),
    ]
    return "\n\n".join(parts)
