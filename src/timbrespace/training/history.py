"""The metrics of every check of a training, and which check is the best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

OVERFIT_LIMIT = 1.14  # of the overfit ratio: source B's 1.3 is of squared errors, and 1.3 ** 0.5 is 1.14
_LAST_CHECKS = 3  # averaged, for a training that did not improve on its start
_SPOILT = 2.0  # times the error before the first step


@dataclass
class History:
    """One list a metric, one value a check, all of the same length. Errors are in the model's unit."""

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)  # nats a sound, on the training clips
    metrics: dict[str, list[float]] = field(default_factory=dict)  # other metrics of the model, on the training clips

    def append(self, step: int, train: float, validation: float, kl: float, metrics: dict[str, float]) -> None:
        """Adds a check."""
        for values, value in zip((self.train, self.validation, self.kl), (train, validation, kl), strict=True):
            values.append(value)
        self.step.append(step)
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value)

    def columns(self) -> dict[str, list[Any]]:
        """Every metric by its name, "step" first."""
        named: dict[str, list[Any]] = {"step": self.step, "train": self.train, "validation": self.validation, "kl": self.kl}
        return named | self.metrics

    def rows(self, *, epochs_per_step: float) -> Iterator[dict[str, Any]]:
        """A dict a check for JSON: step, epoch and every metric by its name; None for a value that is not finite."""
        columns = self.columns()
        for k, step in enumerate(columns.pop("step")):
            row = {"step": step, "epoch": round(step * epochs_per_step, 4)}
            yield row | {name: values[k] if math.isfinite(values[k]) else None for name, values in columns.items() if k < len(values)}


def best_check(history: History, *, first: float = 0.0) -> int:
    """The check with the least validation error among those from step `first` on; the last check if there are none yet.

    The check before the first step (step 0) counts fully only without a KL. Errors are computed without noise, which suits a linear
    model best, and training gives some of that up for a better use of the latent. With a KL, step 0 is the best only if its error is
    less than half: then training has spoilt the model.
    """
    late = [k for k, step in enumerate(history.step) if step >= first]
    trained = [k for k in late if history.step[k]]
    if not trained:
        return late[0] if late else len(history.step) - 1
    best = min(trained, key=history.validation.__getitem__)
    better = history.validation[late[0]] * (_SPOILT if any(history.kl) else 1.0) < history.validation[best]
    return late[0] if better and not history.step[late[0]] else best


def learned_errors(history: History, *, first: float = 0.0) -> tuple[float, float]:
    """Training and validation error of what a stage learned from step `first` on; the state before the first step does not count.

    They are the errors of the check with the least validation error, if that is less than before the first step, or if there was no
    check then. Otherwise they are means of the last three checks: the best check of such a training is often its first one, where a
    small learning rate has changed little, so that it says how little the training did and not where it leads.
    """
    trained = [k for k, step in enumerate(history.step) if step and step >= first] or [len(history.step) - 1]
    best = min(trained, key=history.validation.__getitem__)
    started = history.step[0] == 0 and len(history.step) > 1
    counted = trained[-_LAST_CHECKS:] if started and not history.validation[best] < history.validation[0] else [best]
    train, validation = (sum(values[k] for k in counted) / len(counted) for values in (history.train, history.validation))
    return train, validation


def overfit_ratio(train: float, validation: float) -> float | None:
    """The validation error divided by the training error, to three digits; None if the training error is 0 or the ratio not finite.

    Both are root mean square errors. Above OVERFIT_LIMIT the model fits its training clips better than other sounds.
    """
    ratio = validation / train if train > 0 else math.inf
    return round(ratio, 3) if math.isfinite(ratio) else None


def concatenated(stages: Sequence[History]) -> History:
    """The history of all stages; steps count on from the last step of the stage before. Of several stages, the metric `stage` is 1, 2, …"""
    if len(stages) == 1:
        return stages[0]
    joined = History()
    for number, stage in enumerate(stages, start=1):
        count, start = len(joined.step), joined.step[-1] if joined.step else 0
        joined.step += [start + step for step in stage.step]
        for name in ("train", "validation", "kl"):
            getattr(joined, name).extend(getattr(stage, name))
        metrics = stage.metrics | {"stage": [float(number)] * len(stage.step)}
        for name in joined.metrics | metrics:
            before = joined.metrics.get(name, [math.nan] * count)
            joined.metrics[name] = before + metrics.get(name, [math.nan] * len(stage.step))
    return joined
