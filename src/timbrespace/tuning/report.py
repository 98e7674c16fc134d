"""The results of a search: a table, plots, the best preset. Needs the extra `tune`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from matplotlib.figure import Figure
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from timbrespace.atomic import replacing, write_text
from timbrespace.config.schema import Config
from timbrespace.tuning.pruners import epoch_of
from timbrespace.tuning.ranges import Range

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running", TrialState.FAIL: "interrupted"}
_PRINTED_ROWS = 10
METRICS = ("error", "start_error", "train_error", "overfit_ratio", "epochs", "seconds", "parameters")


def rows(study: Study, ranges: Sequence[Range]) -> list[dict[str, Any]]:
    """A row a trial, the best first: number, state, objective, metrics, settings, and why it ended early."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in STATES]
    table = []
    for trial in sorted(trials, key=lambda trial: (*_order(trial), trial.number)):
        state = "refused" if trial.user_attrs.get("refused") else STATES[trial.state]
        row: dict[str, Any] = {"trial": trial.number, "state": state, "objective": trial.value if state == "complete" else None}
        row |= {name: trial.user_attrs.get(name) for name in METRICS}
        chosen = {part.key: trial.params.get(part.key) for part in ranges}
        table.append(row | chosen | {"reason": trial.user_attrs.get("reason", "")})
    return table


def write_table(path: Path, table: Sequence[dict[str, Any]]) -> None:
    """Writes the rows as CSV, in the order of the trials."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else ["trial"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(table, key=lambda row: row["trial"]))
    write_text(path, text.getvalue(), force=True)


def lines(table: Sequence[dict[str, Any]], ranges: Sequence[Range], *, unit: str) -> list[str]:
    """Lines of text for a person: the best trials, the number of trials in each state, and reasons of refusal."""
    if not table:
        return ["no trial yet"]
    head = ["trial", "state", f"objective ({unit})", "start", "learned", "overfit", "parameters", *(part.key for part in ranges)]
    body = [
        [
            str(row["trial"]), row["state"], _short(row["objective"]), _short(row["start_error"]), _short(row["error"]),
            _short(row["overfit_ratio"]), _short(row["parameters"]),
            *(_short(row[part.key]) for part in ranges),
        ]
        for row in table[:_PRINTED_ROWS]
    ]  # fmt: skip
    widths = [max(len(line[k]) for line in [head, *body]) for k in range(len(head))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *body]]
    counts = {state: sum(row["state"] == state for row in table) for state in dict.fromkeys(row["state"] for row in table)}
    text.append(f"{len(table)} trials: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
    reasons: dict[str, list[int]] = {}
    for row in table:
        if row["state"] == "refused":
            reasons.setdefault(row["reason"], []).append(row["trial"])
    text += [f"refused ({', '.join(map(str, numbers))}): {reason}" for reason, numbers in reasons.items()]
    return text


def write_best(path: Path, config: Config, trial: FrozenTrial, *, unit: str) -> None:
    """Writes the settings of the best trial in full, as a preset for `train --preset`."""
    content = config.model_dump(mode="json", exclude={"tune"})
    content["description"] = f"best of a search: {config.description}" if config.description else "best of a search"
    comment = f"# Trial {trial.number}: objective {trial.value:.6g} {unit}, from {json.dumps(trial.params)}\n"
    write_text(path, comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), force=True)


def draw(study: Study, ranges: Sequence[Range], folder: Path, *, unit: str) -> list[Path]:
    """Writes history.png, curves.png, slices.png and, from four complete trials on, importance.png; returns their paths."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not done:
        return []
    made = [_save(_history(done, unit), folder / "history.png"), _save(_curves(trials, unit), folder / "curves.png")]
    made.append(_save(_slices(done, ranges, unit), folder / "slices.png"))
    if len(done) >= 4 and len({trial.value for trial in done}) > 1:
        try:
            weights = optuna.importance.get_param_importances(study)
        except (RuntimeError, ValueError):  # every setting is the same in all trials
            return made
        if weights:
            made.append(_save(_importance(weights), folder / "importance.png"))
    return made


def _history(done: Sequence[FrozenTrial], unit: str) -> Figure:
    figure, axes = _axes()
    numbers, values = [trial.number for trial in done], [_value(trial) for trial in done]
    axes.plot(numbers, values, "o", label="trial")
    axes.step(numbers, np.minimum.accumulate(values), where="post", label="best so far")
    axes.set(xlabel="trial", ylabel=f"objective ({unit})")
    axes.legend()
    return figure


def _curves(trials: Sequence[FrozenTrial], unit: str) -> Figure:
    figure, axes = _axes()
    best = min((trial for trial in trials if trial.state == TrialState.COMPLETE), key=_value)
    for trial in trials:
        marks = sorted(trial.intermediate_values)
        style: dict[str, Any] = {"color": "red", "lw": 2, "zorder": 3} if trial is best else {"color": "gray", "lw": 0.7}
        dashed = "-" if trial.state == TrialState.COMPLETE else ":"
        axes.plot([epoch_of(k) for k in marks], [trial.intermediate_values[k] for k in marks], dashed, **style)
    axes.set(xscale="log", xlabel="epoch", ylabel=f"validation error ({unit}); red: best, dotted: pruned")
    return figure


def _slices(done: Sequence[FrozenTrial], ranges: Sequence[Range], unit: str) -> Figure:
    figure = Figure(figsize=(3.2 * len(ranges), 3.4), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(ranges), sharey=True, squeeze=False)[0], ranges, strict=True):
        there = [trial for trial in done if part.key in trial.params]
        values = [trial.params[part.key] for trial in there]
        axes.plot([str(value) for value in values] if part.choices else values, [_value(trial) for trial in there], "o", alpha=0.7)
        if part.log:
            axes.set_xscale("log")
        axes.set(xlabel=part.key)
    figure.axes[0].set_ylabel(f"objective ({unit})")
    return figure


def _importance(weights: dict[str, float]) -> Figure:
    figure, axes = _axes()
    names = list(weights)[::-1]
    axes.barh(names, [weights[name] for name in names])
    axes.set(xlabel="share of the objective's variance")
    return figure


def _axes() -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Figure, path: Path) -> Path:
    with replacing(path, force=True) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return path


def _order(trial: FrozenTrial) -> tuple[int, float]:
    if trial.state == TrialState.COMPLETE:
        return 0, _value(trial)
    return 1, trial.user_attrs.get("error") or math.inf


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
