"""The training loop of every model. It counts steps, so that an interrupted run gives the same result as an unbroken one.

An interrupt saves nothing by itself: it may come in the middle of a step. The last regular checkpoint is at most seconds old."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from timbrespace.config.schema import Training
from timbrespace.contracts import TimbrespaceError
from timbrespace.model.base import Model
from timbrespace.training.data.sounds import Sounds, batches_of, draw_rows
from timbrespace.training.distributed import broadcast, rank_noise, rank_rows, seed_generators
from timbrespace.training.history import History, best_check
from timbrespace.training.losses import scheduled, settled_step, total

CHECKED_CLIPS = 256  # training clips evaluated in a check, at most: with a large model more would take longer than the steps between
_WARM_UP, _WARM_UP_SHARE = 100, 0.25  # steps of the learning rate's warm-up; at most this share of the run
_SAVE_SECONDS, _SAVING_SHARE = 20.0, 0.1  # least time between checkpoints; most of the time that may go into writing them
_SMOOTHED_CHECKS = 3  # in the moving average of the validation error
_LEAST_GAIN = 1e-3  # of that average, to count as an improvement
_EMA_DECAY = 0.999  # of the averaged parameters, late in training
_LARGEST_GRADIENT = 5.0  # norm to which gradients are clipped
CHECKPOINT = "checkpoint.pt"


class DivergedError(TimbrespaceError):
    """The loss is no longer finite."""


class Checkpoints(Protocol):
    """A place for states: see `Workspace`."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Stores a state."""

    def load(self, name: str) -> dict[str, Any] | None:
        """The stored state, or None."""


class NullCheckpoints:
    """Checkpoints for a training that is never resumed: `save` does nothing, `load` finds nothing."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Does nothing."""

    def load(self, name: str) -> None:
        """None."""


def fit_model(
    model: Model,
    sounds: Sounds,
    *,
    checked: Tensor,
    validation: Sounds,
    settings: Training,
    steps: int,
    check_every: int,
    seed: int,
    fabric: Fabric,
    checkpoints: Checkpoints,
    on_check: Callable[[int, int, History], None] = lambda step, steps, history: None,
    weights: Tensor | None = None,
) -> History:
    """Trains `model` in place, leaves it with the averaged parameters that were best on `validation`, and returns all checks.

    sounds: clips and variations. checked: rows `(n,)` of the training clips that every check evaluates, see `sample_clips`. Batch, noise
    and dropout of a step depend on (seed, step) alone. With `settings.initialisation` "pca" the first check comes before the first step,
    see `best_check`. Training stops early when the moving average of the validation error has not improved for `settings.patience`
    checks. Neither that nor the search for the best state begins before the KL's schedule has settled. checkpoints: a stored one is
    resumed. on_check: called with step, steps and the history after every check. weights `(n,)`: how often each sound is drawn relative to
    others; None: all alike. With several processes each one learns from its slice of the batch.

    Raises DivergedError when the loss is no longer finite.
    """
    loop = _Loop(model, sounds, checked, validation, settings, steps, seed, fabric, checkpoints, on_check, weights)
    loop.restore()
    if not loop.step and settings.initialisation == "pca":
        loop.check()
    while loop.step < steps and loop.stale < settings.patience:
        loop.optimise()
        if loop.step % check_every == 0 or loop.step == steps:
            loop.check()
        if loop.save_is_due():
            loop.save()
    loop.save()
    model.load_state_dict(loop.best_state)
    return loop.history


class _Loop:
    """The state of `fit_model`: the model, its moving average, the optimizer, the history and the best state so far."""

    def __init__(
        self, model: Model, sounds: Sounds, checked: Tensor, validation: Sounds, settings: Training, steps: int, seed: int, fabric: Fabric,
        checkpoints: Checkpoints, on_check: Callable[[int, int, History], None], weights: Tensor | None,
    ):  # fmt: skip
        self.weight_ends = None if weights is None else weights.double().cumsum(0)
        self.model, self.sounds, self.checked, self.validation = model, sounds, checked, validation
        self.settings, self.steps, self.seed, self.fabric = settings, steps, seed, fabric
        self.checkpoints, self.on_check = checkpoints, on_check
        optimizer = make_optimizer(model, settings, device=fabric.device)
        compiled: nn.Module = torch.compile(model) if settings.compiled else model  # type: ignore[assignment]
        self.module, self.optimizer = fabric.setup(compiled, optimizer)
        model.train()
        self.averaged = copy.deepcopy(model).eval()
        self.weights = settings.weights.model_dump()
        self.settled = settled_step(settings.kl, steps=steps)
        self.step, self.best, self.stale, self.history = 0, math.inf, 0, History()
        self.best_state = copy.deepcopy(self.averaged.state_dict())
        self._saved, self._pause = time.monotonic(), _SAVE_SECONDS

    def optimise(self) -> None:
        """One step of the optimizer, and of the averaged parameters."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, highest=self.settings.learning_rate)
        with torch.random.fork_rng():
            seed_generators((self.seed * 1_000_003 + self.step) % 2**63, self.fabric.device)
            rows = rank_rows(draw_rows(len(self.sounds), self.settings.batch, self.weight_ends), self.fabric)
            batch = self.sounds[rows].to(self.fabric.device)
            with rank_noise(self.fabric, len(rows)):
                losses = self.module(batch)
        self.fabric.backward(total(scheduled(losses, self.settings.kl, step=self.step, steps=self.steps), self.weights))
        # A gradient that is not finite is no error here: the next check reports it with advice.
        self.fabric.clip_gradients(self.module, self.optimizer, max_norm=_LARGEST_GRADIENT, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        update_average(self.averaged, self.model, step=self.step)

    def check(self) -> None:
        """Evaluates the averaged parameters, keeps them if they are the best so far, and counts checks without improvement.

        There are two kinds of best: `self.best`, the least moving average of the validation error, decides when training stops, because a
        single check is noisy; `best_check`, the least error of a single check, decides which parameters are kept.
        """
        errors, metrics = broadcast(self.fabric, self._evaluate)
        if not all(map(math.isfinite, errors)):
            raise DivergedError(self._divergence())
        train, validation, kl = errors
        self.history.append(self.step, train, validation, kl, metrics)
        smooth = self._smoothed()
        if self.step < self.settled or not self.step:
            self.best, self.stale = math.inf, 0
        elif smooth < self.best - _LEAST_GAIN:
            self.best, self.stale = smooth, 0
        else:
            self.stale += 1
        if best_check(self.history, first=self.settled) == len(self.history.step) - 1:
            self.best_state = copy.deepcopy(self.averaged.state_dict())
        self.on_check(self.step, self.steps, self.history)

    def _evaluate(self) -> tuple[tuple[float, float, float], dict[str, float]]:
        """Mean errors on training clips and validation clips, KL in nats a sound, and the model's other metrics."""
        device = self.fabric.device
        train, kl, metrics = evaluate(self.averaged, self.sounds, self.checked, device)
        validation, *_ = evaluate(self.averaged, self.validation, len(self.validation), device)
        return (train, validation, kl), metrics

    def _smoothed(self) -> float:
        """The moving average of the validation error, over checks since the KL's schedule has settled."""
        counted = sum(step >= self.settled and step > 0 for step in self.history.step)
        recent = self.history.validation[-max(1, min(counted, _SMOOTHED_CHECKS)) :]
        return sum(recent) / len(recent)

    def _divergence(self) -> str:
        """The error message for a loss that is not finite."""
        if not self.step:
            return (
                "the error is not finite before the first step; look at the sounds with `timbrespace doctor`, or set "
                "training.initialisation=random"
            )
        return f"the loss is no longer finite at step {self.step}; lower training.learning_rate (it is {self.settings.learning_rate:g})"

    def restore(self) -> None:
        """Continues from the stored checkpoint, if there is one."""
        state = self.checkpoints.load(CHECKPOINT)
        if not state:
            return
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_state, self.best, self.stale, self.step = state["best_state"], state["best"], state["stale"], state["step"]
        self.history = History(**state["history"])
        self.fabric.strategy.precision.load_state_dict(state.get("precision", {}))

    def save_is_due(self) -> bool:
        """Whether the last checkpoint is old enough."""
        return time.monotonic() - self._saved > self._pause

    def save(self) -> None:
        """Writes a checkpoint, in the first process; the longer writing takes, the longer the pause until the next one."""
        if not self.fabric.is_global_zero:
            return
        started = time.monotonic()
        self.checkpoints.save(
            CHECKPOINT,
            {
                "model": self.model.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "best_state": self.best_state,
                "best": self.best,
                "stale": self.stale,
                "history": vars(self.history),
                "precision": self.fabric.strategy.precision.state_dict(),  # the scale of gradients in half precision
            },
        )
        self._saved = time.monotonic()
        self._pause = max(_SAVE_SECONDS, (self._saved - started) / _SAVING_SHARE)


def make_optimizer(model: nn.Module, settings: Training, *, device: torch.device) -> torch.optim.AdamW:
    """AdamW over all parameters.

    On a CPU it is fused, one pass over memory instead of nine: most of a step of a large dense model. On other devices fused AdamW
    does not support half precision with clipped gradients.
    """
    return torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=device.type == "cpu"
    )  # fmt: skip


def learning_rate(step: int, steps: int, *, highest: float) -> float:
    """The learning rate of a step: linear warm-up times half a cosine."""
    # Not LambdaLR: it has a state of its own to checkpoint, and rounds the warm-up otherwise (by 2e-16, so other bits).
    warm_up = max(1.0, min(_WARM_UP, _WARM_UP_SHARE * steps))
    return highest * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, *, step: int) -> None:
    """Moves averaged parameters towards those of `model` after `step` steps: quickly at first, later by a thousandth."""
    # Not AveragedModel, although its parameters are equal to the bit: it also copies all buffers in every step, and those of `oneshot`,
    # the basis of its codec, take 2 ms.
    decay = min(_EMA_DECAY, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(averaged.parameters()), [p.detach() for p in model.parameters()], 1 - decay)


def evaluate(model: Model, sounds: Sounds, rows: int | Tensor, device: torch.device) -> tuple[float, float, dict[str, float]]:
    """Mean error in the model's unit, KL in nats a sound, and the model's other metrics, over sounds.

    rows: of these sounds `(n,)`, or a number of sounds, the first ones.

    Errors and KL are means over sounds; other metrics are means over batches of `batches_of`, weighted by their sizes.
    """
    count = rows if isinstance(rows, int) else len(rows)
    errors, kl, metrics = [], 0.0, dict[str, float]()
    with torch.no_grad():
        for batch in batches_of(sounds, rows):
            evaluation, share = model.evaluate(batch.to(device)), len(batch.lengths) / count
            errors.append(evaluation.errors)
            kl += float(evaluation.kl.sum()) * share
            for name, value in (evaluation.metrics or {}).items():
                metrics[name] = metrics.get(name, 0.0) + value * share
    return float(torch.cat(errors).mean()), kl, metrics
