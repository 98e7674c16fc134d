"""The charts of a training: errors over its steps, overfit ratio, KL divergence in all and by latent dimension."""

from __future__ import annotations

import math
from typing import Any

from timbrespace.report.charts import Chart, Line, bar_chart, line_chart
from timbrespace.training.history import OVERFIT_LIMIT, overfit_ratio

_UNUSED_NATS = 0.01  # a latent dimension with less KL than this carries no information about a sound
_DIMS = 256  # in a chart, at most


def training_charts(training: dict[str, Any], *, kl_unit: str) -> list[Chart]:
    """Returns the charts of a training, an error and an overfit chart per stage.

    training: that part of an instrument's card; a chart whose values it lacks is left out. kl_unit: "nats" or "nats a frame".
    """
    curve = {name: [math.nan if v is None else float(v) for v in values] for name, values in (training.get("curve") or {}).items()}
    charts = _curve_charts(training, curve, kl_unit=kl_unit) if curve.get("step") else []
    kl = [float(value) for value in training.get("kl_per_dimension") or []]
    if any(kl):
        largest = sorted(kl, reverse=True)[:_DIMS]
        more = f", the first {_DIMS} of {len(kl)}" if len(kl) > _DIMS else ""
        level = (_UNUSED_NATS, f"{_UNUSED_NATS} nats or more")
        charts.append(bar_chart(f"KL by dimension, largest first{more}", largest, unit=kl_unit, level=level))
    return charts


def _curve_charts(training: dict[str, Any], curve: dict[str, list[float]], *, kl_unit: str) -> list[Chart]:
    """The charts over steps. curve: step, train, validation, kl and perhaps stage -> one value per check of the training."""
    steps, charts = curve["step"], []
    stage_of_check = curve.get("stage") or [1.0] * len(steps)
    stages = sorted(set(stage_of_check))
    best = training.get("best_step")
    for stage in stages:
        checks = [k for k, number in enumerate(stage_of_check) if number == stage]
        offset = 0.0 if stage == stages[0] else steps[checks[0] - 1]  # each stage counts its steps from 0
        x = [steps[k] - offset for k in checks]
        train, validation = ([curve[name][k] for k in checks] for name in ("train", "validation"))
        suffix = f", stage {stage:g}" if len(stages) > 1 else ""
        unit = str(training.get("unit", "")) if stage == stages[0] else "of the codes"
        mark = (float(best), f"best, step {best:,}") if isinstance(best, int) and len(stages) == 1 else None
        errors = [Line("training clips", x, train, 0), Line("validation", x, validation, 1)]
        charts.append(line_chart(f"Error{suffix}", errors, unit=unit, mark=mark))
        ratios = [overfit_ratio(a, b) or math.nan for a, b in zip(train, validation, strict=True)]
        level = (OVERFIT_LIMIT, f"{OVERFIT_LIMIT}: overfitting")
        charts.append(line_chart(f"Overfit ratio{suffix}", [Line("validation over training", x, ratios, 2)], unit="×", level=level))
        if stage == stages[-1] and any(curve["kl"][k] > 0 for k in checks):
            kl = Line("all dimensions", x, [curve["kl"][k] for k in checks], 3)
            charts.append(line_chart("KL divergence", [kl], unit=kl_unit))
    return charts
