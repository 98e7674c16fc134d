"""`--part time-steps` of benchmarks/models.py: models over time steps after the same number of epochs, several seeds."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

from lib.models.measure import Material, Settings, material
from lib.page import keep, stamp, table
from lib.process import run, say
from timbrespace.config.presets import load_preset
from timbrespace.evaluation.reconstruction import reconstruction_table
from timbrespace.evaluation.rows import reconstructions, true_features
from timbrespace.instrument import Instrument

PRESETS = ("rnn", "gru", "lstm", "transformer")
_CORPUS = "notes"
_BESIDE = "gru"  # whose time counts 1


def time_steps(given: Settings, results: Path, *, epochs: int, seeds: int, fresh: bool) -> str:
    """Trains every preset with seeds 0, 1 … and returns the table of all of them; rows are stored in `results`."""
    found = material(_CORPUS, given)
    rows: dict[str, list[dict[str, Any]]] = {preset: [] for preset in PRESETS}
    for seed in range(seeds):
        for preset in PRESETS:
            path = results / f"time-steps--{preset}--{epochs}--{seed}.json"
            if fresh or not path.exists():
                name = f"{preset}, seed {seed}"
                keep(path, name, f"{epochs} epochs", lambda preset=preset, seed=seed: _row(preset, seed, epochs, found, given))  # type: ignore[misc]
            rows[preset].append(json.loads(path.read_text(encoding="utf-8"))["figures"])
    command = f"python benchmarks/models.py SOUNDS --part time-steps --epochs {epochs} --seeds {seeds} --unseen {given.unseen}"
    return f"{stamp(command)}\n\n{_table(rows)}"


def _row(preset: str, seed: int, epochs: int, found: Material, given: Settings) -> dict[str, Any]:
    out = given.work / f"time-steps-{preset}-{seed}.safetensors"
    say(f"{preset}: training, {epochs} epochs, seed {seed}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words: list[str | Path] = ["train", found.corpus.path, "--out", out, "--preset", preset, "--epochs", str(epochs)]
    card = json.loads(run([*words, "--seed", str(seed), "--force", "--json"]).output)["card"]["training"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    instrument = Instrument.load(out)
    unseen = [audio[:, : instrument.contents.samples] for audio in found.unseen]
    rate = instrument.sample_rate
    made = {"model": reconstructions(instrument, unseen), "view": true_features(instrument, unseen)}
    errors = {name: reconstruction_table({"row": sounds}, unseen, sample_rate=rate)["row"] for name, sounds in made.items()}
    return {
        "parameters": sum(parameter.numel() for parameter in instrument.model.parameters()),
        "steps": card["steps"],
        "begun": card["curve"]["validation"][0],
        "validation": card["validation_error"],
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "log_mel_db": errors["model"]["log_mel_db"]["mean"],
        "sound_db": errors["model"]["sound_db"]["mean"],
        "view_db": errors["view"]["log_mel_db"]["mean"],
    }


def _table(rows: dict[str, list[dict[str, Any]]]) -> str:
    head = ["model", "controls a frame", "parameters", "steps", "validation (%)", "WAV (dB)", "sound (dB)", "CPU time beside `gru`"]
    cost = {preset: sum(one["cpu_seconds"] for one in found) for preset, found in rows.items()}
    lines = [
        [
            f"`{preset}`",
            str(load_preset(preset).model["dims"]),
            f"{found[0]['parameters']:,}",
            f"{found[0]['steps']:,}",
            f"{_mean(found, 'begun'):.1f} → {_spread(found, 'validation')}",
            _spread(found, "log_mel_db"),
            _spread(found, "sound_db"),
            f"{cost[preset] / cost[_BESIDE]:.2f}",
        ]
        for preset, found in rows.items()
    ]
    view = _mean([one for found in rows.values() for one in found], "view_db")
    several = "" if len(rows[_BESIDE]) == 1 else "Mean of the seeds, least and most in brackets. "
    return table(head, lines) + f"\n\n{several}The view alone, without a model: {view:.2f} dB."


def _mean(found: list[dict[str, Any]], key: str) -> float:
    return sum(float(one[key]) for one in found) / len(found)


def _spread(found: list[dict[str, Any]], key: str) -> str:
    values = [float(one[key]) for one in found]
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{_mean(found, key):.2f} ({min(values):.2f}–{max(values):.2f})"
