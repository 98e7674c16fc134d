"""The learning-rate range test (Smith 2017): the rate rises step by step, and the loss tells which rates learn and which blow up."""

from __future__ import annotations

import copy
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from timbrespace.atomic import replacing
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.loop import make_optimizer
from timbrespace.training.losses import total
from timbrespace.training.train import StopTraining, TrainingContext, Watcher, train

LOW, HIGH, STEPS = 1e-6, 1.0, 200
_KEPT = 0.9  # of the moving average, a step
_SETTLED = 10  # steps after which it is no longer the first batches' own
_BLOWN = 4.0  # times the least loss
_ROWS = 20  # of the table


@dataclass(frozen=True)
class Curve:
    """rates, and the smoothed loss at each; the curve ends where the loss blew up.

    steepest: the rate at which the loss falls fastest for the rate's logarithm; None where it never falls.
    blown: the rate at which the loss rose to four times its least or was no longer finite; None where it did not.
    """

    rates: list[float]
    losses: list[float]
    steepest: float | None
    blown: float | None

    @property
    def tenth(self) -> float | None:
        """A tenth of the rate that blew up."""
        return None if self.blown is None else self.blown / 10

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {"rates": self.rates, "losses": self.losses, "steepest": self.steepest, "blown": self.blown, "tenth_of_blown": self.tenth}

    def lines(self) -> list[str]:
        """The table and the suggestions."""
        chosen = sorted({round(k * (len(self.rates) - 1) / (_ROWS - 1)) for k in range(_ROWS)})
        rows = ["learning rate   loss (smoothed)", *(f"{self.rates[k]:13.2e}   {self.losses[k]:.5g}" for k in chosen)]
        if self.steepest is None:
            rows.append(
                "the loss never fell, no suggestion: a model that begins where the sounds lie may have little to gain at first; "
                "--set training.start=random shows what rates learn, the data and the weights of the losses may tell why they do not"
            )
            blown = [] if self.tenth is None else [f"a tenth of where it blew up ({self.blown:.2g}): {self.tenth:.2g}"]
            return rows + blown
        rows.append(f"steepest descent: {self.steepest:.2g}")
        if self.tenth is None:
            return [*rows, f"the loss did not blow up under {self.rates[-1]:.2g}"]
        return [*rows, f"a tenth of where it blew up ({self.blown:.2g}): {self.tenth:.2g}"]


def find_lr(source: Path | str | Corpus, *, steps: int = STEPS, watch: Watcher = lambda report: None, **options: Any) -> Curve:
    """The curve for the model and the sounds that `train(source, …, **options)` would learn with; nothing is trained or kept.

    steps: from 1e-6 to 1. options: preset, changes, minutes, epochs, seed, device, channels of `train`. Raises as `train`,
    and ConfigError for fewer than 20 steps.
    """
    if steps < 20:
        raise ConfigError(f"steps is {steps}, at least 20 are needed to see a curve")
    curves: list[Curve] = []

    def ready(lesson: TrainingContext) -> None:
        curves.append(range_test(lesson, steps=steps, seed=options.get("seed", 0)))
        raise StopTraining

    with tempfile.TemporaryDirectory(prefix="timbrespace-") as folder:
        try:
            train(source, Path(folder) / "x.safetensors", ready=ready, watch=watch, **options)
        except StopTraining:
            return curves[0]
    raise TimbrespaceError("the learning rate was not looked for: training ended before it began")


def range_test(lesson: TrainingContext, *, steps: int, seed: int, low: float = LOW, high: float = HIGH) -> Curve:
    """Trains a copy of the model for up to `steps` steps while the rate rises exponentially from `low` to `high`."""
    config: Config = lesson.config
    settings, fabric = config.training, lesson.fabric
    model = copy.deepcopy(lesson.model)
    optimizer = make_optimizer(model, settings, device=fabric.device)
    module, optimizer = fabric.setup(model, optimizer)
    model.train()
    weights = settings.weights.model_dump()
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    blown = None
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.random.fork_rng():
            torch.manual_seed((seed * 1_000_003 + step) % 2**63)
            batch = lesson.sounds[torch.randint(len(lesson.sounds), (settings.batch,))].to(fabric.device)
            loss = total(module(batch), weights)
        value = float(loss.detach())
        mean = _KEPT * mean + (1 - _KEPT) * value
        smooth = mean / (1 - _KEPT ** (step + 1))
        if not math.isfinite(value) or (losses and smooth - min(losses) > (_BLOWN - 1) * abs(min(losses))):
            blown = rate
            break
        rates.append(rate)
        losses.append(smooth)
        fabric.backward(loss)
        fabric.clip_gradients(module, optimizer, max_norm=5.0, error_if_nonfinite=False)
        optimizer.step()
        optimizer.zero_grad()
    if not rates:
        raise TimbrespaceError("the loss is not finite before the first step; look at the data with `timbrespace doctor`")
    return Curve(rates, losses, _steepest(rates, losses), blown)


def _steepest(rates: list[float], losses: list[float]) -> float | None:
    """Where the loss falls fastest for the rate's logarithm, up to its least; None where it never does.

    A line is laid through an eighth of the steps at a time: single batches differ by more than a step teaches.
    """
    lowest, window = losses.index(min(losses)), max(5, len(losses) // 8)
    starts = range(min(_SETTLED, len(losses) // 4), lowest + 2 - window)
    logs = np.log(rates)
    slopes = [float(np.polyfit(logs[k : k + window], losses[k : k + window], 1)[0]) for k in starts]
    if not slopes or min(slopes) >= 0:
        return None
    k = starts[slopes.index(min(slopes))]
    return float(np.exp(logs[k : k + window].mean()))


def draw(curve: Curve, path: Path, *, force: bool = False) -> None:
    """The curve as a PNG. Raises OutputExistsError, TimbrespaceError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses)
    for rate, name in ((curve.steepest, "steepest descent"), (curve.tenth, "a tenth of where it blew up")):
        if rate is not None:
            axes.axvline(rate, linestyle=":", color="black" if name.startswith("s") else "red", label=f"{name}: {rate:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
    if min(curve.losses) > 0:
        axes.set_yscale("log")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    with replacing(path, force=force) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
