"""The learning-rate range test (Smith 2017): the rate rises step by step, and the loss shows which rates learn and which diverge."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from timbrespace.atomic import replacing
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.callbacks import Progress, StopTraining, TrainingCallbacks, TrainingContext
from timbrespace.training.distributed import seed_generators
from timbrespace.training.loop import make_optimizer
from timbrespace.training.losses import total
from timbrespace.training.options import TrainOptions
from timbrespace.training.train import train

LOW, HIGH, STEPS = 1e-6, 1.0, 200
_FEWEST_STEPS = 20
_DECAY = 0.9  # of the moving average of the loss, a step
_FIRST_STEPS = 10  # which the slope leaves out: their average is of too few batches
_DIVERGED = 4.0  # times the least loss
_TABLE_ROWS = 20


@dataclass(frozen=True)
class Curve:
    """Learning rates and the smoothed loss at each, up to the rate at which the loss diverged.

    steepest: the rate at which the loss falls fastest over the logarithm of the rate; None if it never falls.
    diverged: the rate at which the loss was four times its least or not finite; None if there was none.
    skipped: {"file", "reason"} of each file that the corpus does not contain.
    """

    rates: list[float]
    losses: list[float]
    steepest: float | None
    diverged: float | None
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def tenth(self) -> float | None:
        """A tenth of the rate at which the loss diverged."""
        return None if self.diverged is None else self.diverged / 10

    def report(self) -> dict[str, Any]:
        """The curve for JSON."""
        rates = {"steepest": self.steepest, "diverged": self.diverged, "tenth_of_diverged": self.tenth}
        return {"rates": self.rates, "losses": self.losses} | rates

    def lines(self) -> list[str]:
        """The table and the suggestions as lines of text."""
        chosen = sorted({round(k * (len(self.rates) - 1) / (_TABLE_ROWS - 1)) for k in range(_TABLE_ROWS)})
        rows = ["learning rate   loss (smoothed)", *(f"{self.rates[k]:13.2e}   {self.losses[k]:.5g}" for k in chosen)]
        tenth = [] if self.tenth is None else [f"a tenth of the rate at which the loss diverged ({self.diverged:.2g}): {self.tenth:.2g}"]
        if self.steepest is None:
            rows.append(
                "no suggestion, the loss never fell: a model initialised from the sounds may have little to gain in so few steps; "
                "--set training.initialisation=random shows which rates learn"
            )
            return rows + tenth
        rows.append(f"steepest descent: {self.steepest:.2g}")
        return rows + (tenth or [f"the loss did not diverge up to {self.rates[-1]:.2g}"])


def find_lr(
    source: Path | str | Corpus,
    options: TrainOptions | None = None,
    *,
    steps: int = STEPS,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    **keywords: Any,
) -> Curve:
    """The loss over the learning rate, for the model and the sounds of `train(source, …, options, **keywords)`; no model is kept.

    steps: from a rate of 1e-6 to 1. It runs on one device. Raises like `train`, and ConfigError for fewer than 20 steps.
    """
    if steps < _FEWEST_STEPS:
        raise ConfigError(f"steps is {steps}; a curve needs at least {_FEWEST_STEPS}")
    options = replace(options or TrainOptions(), resume=False, devices=1, nodes=1, tensorboard=None, **keywords)
    curves: list[Curve] = []

    def on_start(context: TrainingContext) -> None:
        curves.append(replace(range_test(context, steps=steps, seed=options.seed), skipped=list(context.skipped)))
        raise StopTraining

    callbacks = TrainingCallbacks(on_start=on_start, on_progress=on_progress)
    with tempfile.TemporaryDirectory(prefix="timbrespace-") as folder:
        try:
            train(source, Path(folder) / "x.safetensors", options, callbacks=callbacks)
        except StopTraining:
            return curves[0]
    raise TimbrespaceError("the range test did not run: training ended before its first step")


def range_test(context: TrainingContext, *, steps: int, seed: int, low: float = LOW, high: float = HIGH) -> Curve:
    """Trains a copy of the model for up to `steps` steps while the rate rises exponentially from `low` to `high`."""
    settings, fabric = context.config.training, context.fabric
    model, sounds = context.learner or (context.model, context.sounds)
    model = copy.deepcopy(model)
    optimizer = make_optimizer(model, settings, device=fabric.device)
    module, optimizer = fabric.setup(model, optimizer)
    model.train()
    weights = settings.weights.model_dump()
    rates: list[float] = []
    losses: list[float] = []
    mean, diverged = 0.0, None
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.random.fork_rng():
            seed_generators((seed * 1_000_003 + step) % 2**63, fabric.device)
            batch = sounds[torch.randint(len(sounds), (settings.batch,))].to(fabric.device)
            loss = total(module(batch), weights)
        value = float(loss.detach())
        mean = _DECAY * mean + (1 - _DECAY) * value
        smooth = mean / (1 - _DECAY ** (step + 1))
        if not math.isfinite(value) or (losses and smooth - min(losses) > (_DIVERGED - 1) * abs(min(losses))):
            diverged = rate
            break
        rates.append(rate)
        losses.append(smooth)
        fabric.backward(loss)
        fabric.clip_gradients(module, optimizer, max_norm=5.0, error_if_nonfinite=False)
        optimizer.step()
        optimizer.zero_grad()
    if not rates:
        raise TimbrespaceError("the loss is not finite before the first step; check the sounds with `timbrespace doctor`")
    return Curve(rates, losses, _steepest(rates, losses), diverged)


def _steepest(rates: list[float], losses: list[float]) -> float | None:
    """The rate at which the loss falls fastest over the logarithm of the rate, before its least value; None if it never falls.

    A line is fitted to an eighth of the steps at a time, because single batches differ by more than one step changes the loss.
    """
    lowest, window = losses.index(min(losses)), max(5, len(losses) // 8)
    starts = range(min(_FIRST_STEPS, len(losses) // 4), lowest + 2 - window)
    logs = np.log(rates)
    slopes = [float(np.polyfit(logs[k : k + window], losses[k : k + window], 1)[0]) for k in starts]
    if not slopes or min(slopes) >= 0:
        return None
    k = starts[slopes.index(min(slopes))]
    return float(np.exp(logs[k : k + window].mean()))


def draw(curve: Curve, path: Path, *, force: bool = False) -> None:
    """Writes the curve as a PNG. Raises OutputExistsError, TimbrespaceError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses)
    for rate, name, colour in ((curve.steepest, "steepest descent", "black"), (curve.tenth, "a tenth of the diverging rate", "red")):
        if rate is not None:
            axes.axvline(rate, linestyle=":", color=colour, label=f"{name}: {rate:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
    if min(curve.losses) > 0:
        axes.set_yscale("log")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    with replacing(path, force=force) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
