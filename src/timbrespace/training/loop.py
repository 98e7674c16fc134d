"""The training loop of every model: plain, by steps, the same whether it was interrupted or not.

An interrupt saves nothing by itself: it may come in the middle of a step. The last regular checkpoint is at most seconds old."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import nn

from timbrespace.config.schema import Training
from timbrespace.contracts import TimbrespaceError
from timbrespace.model.base import Model
from timbrespace.training.data.sounds import Sounds, batches_of
from timbrespace.training.distributed import decided, rank_noise, rank_rows
from timbrespace.training.losses import total
from timbrespace.training.schedules import scheduled, settled

_WARM_UP, _WARM_UP_SHARE = 100, 0.25  # steps, and of a short run
_SAVE_SECONDS, _SAVING_SHARE = 20.0, 0.1  # between checkpoints, at least; of the time, that writing large ones may take
_SMOOTHED_OVER = 3  # checks in the moving average of the validation error
_KEPT = 0.999  # decay of the averaged parameters, late in training
_SPOILT = 2.0  # times the error where it began
CHECKED = 256  # training clips looked at in a check, at most: with a heavy model more would take longer than the steps between


class DivergedError(TimbrespaceError):
    """The loss is no longer finite."""


@dataclass
class History:
    """What was seen at each check: one list a figure, all the same length. Errors in the model's unit."""

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)  # what else a family reports, see `Evaluation`; on the training clips


class Checkpoints(Protocol):
    """Where states go: see `Workspace`."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Stores a state."""

    def load(self, name: str) -> dict[str, Any] | None:
        """The stored state, or None."""


class NullCheckpoints:
    """Checkpoints of a training that nothing takes up: kept nowhere."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Nothing."""

    def load(self, name: str) -> None:
        """Nothing stored."""


def run(
    model: Model,
    sounds: Sounds,
    *,
    own: int,
    validation: Sounds,
    settings: Training,
    steps: int,
    check_every: int,
    seed: int,
    fabric: Fabric,
    checkpoints: Checkpoints,
    progress: Callable[[int, int, History], None] = lambda step, steps, history: None,
) -> History:
    """Trains `model` in place and leaves it with the averaged parameters that were best on `validation`.

    sounds: clips and variations, the first `own` of them the unvaried training clips. Batch, noise and dropout of a step
    depend on (seed, step) alone. Stops early when the moving average of the validation error has not improved for `settings.patience`
    checks; neither that nor the best state is looked for before the KL's schedule has settled. With `settings.start` "corpus" the first
    check comes before the first step, see `best_check`. A stored checkpoint is taken up. Raises
    DivergedError when the loss is no longer finite. With several processes each learns from its slice of the batch.
    """
    device = fabric.device
    optimizer = make_optimizer(model, settings, device=device)
    learner: nn.Module = torch.compile(model) if settings.compiled else model  # type: ignore[assignment]
    module, optimizer = fabric.setup(learner, optimizer)
    model.train()
    averaged = copy.deepcopy(model).eval()
    weights = settings.weights.model_dump()
    history, step, best, stale = History(), 0, math.inf, 0
    first = settled(settings.kl, steps=steps)
    best_state = copy.deepcopy(averaged.state_dict())

    stored = checkpoints.load("checkpoint.pt")
    if stored:
        model.load_state_dict(stored["model"])
        averaged.load_state_dict(stored["averaged"])
        optimizer.load_state_dict(stored["optimizer"])
        best_state, best, stale, step = stored["best_state"], stored["best"], stored["stale"], stored["step"]
        history = History(**stored["history"])
        fabric.strategy.precision.load_state_dict(stored.get("precision", {}))

    saved, pause = time.monotonic(), _SAVE_SECONDS

    def save() -> None:
        nonlocal saved, pause
        if not fabric.is_global_zero:
            return
        begun = time.monotonic()
        checkpoints.save(
            "checkpoint.pt",
            {"model": model.state_dict(), "averaged": averaged.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            | {"best_state": best_state, "best": best, "stale": stale, "history": vars(history)}
            | {"precision": fabric.strategy.precision.state_dict()},  # the scale of gradients in half precision
        )
        saved = time.monotonic()
        pause = max(_SAVE_SECONDS, (saved - begun) / _SAVING_SHARE)

    def check() -> None:
        nonlocal best, stale, best_state
        figures, more = decided(fabric, lambda: _check(averaged, sounds, validation, own=min(own, CHECKED), device=device))
        finite = all(map(math.isfinite, figures))
        if not finite and not step:
            raise DivergedError(
                "the error is not finite before the first step; look at the sounds with `timbrespace doctor`, or set training.start=random"
            )
        if not finite:
            raise DivergedError(
                f"the loss is no longer finite at step {step}; lower training.learning_rate (it is {settings.learning_rate:g})"
            )
        for name, figure in zip(("step", "train", "validation", "kl"), (step, *figures), strict=True):
            getattr(history, name).append(figure)
        for name, figure in more.items():
            history.figures.setdefault(name, []).append(figure)
        counted = sum(at >= first and at > 0 for at in history.step)
        recent = history.validation[-max(1, min(counted, _SMOOTHED_OVER)) :]
        smooth = sum(recent) / len(recent)
        if step < first or not step:
            best, stale = math.inf, 0
        elif smooth < best - 1e-3:
            best, stale = smooth, 0
        else:
            stale += 1
        if best_check(history, first=first) == len(history.step) - 1:
            best_state = copy.deepcopy(averaged.state_dict())
        progress(step, steps, history)

    if not step and settings.start == "corpus":
        check()
    warm_up = max(1.0, min(_WARM_UP, _WARM_UP_SHARE * steps))
    while step < steps and stale < settings.patience:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.random.fork_rng():
            torch.manual_seed((seed * 1_000_003 + step) % 2**63)
            rows = rank_rows(torch.randint(len(sounds), (settings.batch,)), fabric)
            batch = sounds[rows].to(device)
            with rank_noise(fabric, len(rows)):
                losses = module(batch)
        fabric.backward(total(scheduled(losses, settings.kl, step=step, steps=steps), weights))
        fabric.clip_gradients(module, optimizer, max_norm=5.0, error_if_nonfinite=False)  # the check below tells it in words
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        average(averaged, model, step=step)

        if step % check_every == 0 or step == steps:
            check()
        if time.monotonic() - saved > pause:
            save()
    save()
    model.load_state_dict(best_state)
    return history


def make_optimizer(model: nn.Module, settings: Training, *, device: torch.device) -> torch.optim.AdamW:
    """AdamW over all parameters; on a CPU in one pass over memory instead of nine: a step of a large dense model waits for little else."""
    fused = device.type == "cpu"  # elsewhere half precision with clipped gradients does not go with it
    return torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=fused)


def best_check(history: History, *, first: float = 0.0) -> int:
    """The check with the least validation error among those from step `first` on; the last one if there are none yet.

    Where learning begins (step 0) counts fully only where there is no KL: the errors of a check are without noise, which is what a linear
    model is best at, and learning gives some of it for a better use of the latent. Else it must be twice as good: learning has spoilt it.
    """
    late = [k for k, step in enumerate(history.step) if step >= first]
    learned = [k for k in late if history.step[k]]
    if not learned:
        return late[0] if late else len(history.step) - 1
    best = min(learned, key=history.validation.__getitem__)
    better = history.validation[late[0]] * (_SPOILT if any(history.kl) else 1.0) < history.validation[best]
    return late[0] if better and not history.step[late[0]] else best


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, *, step: int) -> None:
    """Moves averaged parameters towards those after `step` steps: quickly at first, later by a thousandth."""
    kept = min(_KEPT, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(averaged.parameters()), [p.detach() for p in model.parameters()], 1 - kept)


@torch.no_grad()
def _check(
    model: Model, train: Sounds, validation: Sounds, *, own: int, device: torch.device
) -> tuple[tuple[float, float, float], dict[str, float]]:
    """Mean error over sounds in the model's unit on both sets; on the first, the KL in nats a sound and what else the model reports."""
    train_error, kl, figures = evaluate(model, train, own, device)
    return (train_error, evaluate(model, validation, len(validation), device)[0], kl), figures


def evaluate(model: Model, sounds: Sounds, count: int, device: torch.device) -> tuple[float, float, dict[str, float]]:
    """Means over sounds; figures of the model are means over batches as `batches_of` makes them."""
    errors, kl, figures = [], 0.0, dict[str, float]()
    for batch in batches_of(sounds, count):
        found, share = model.evaluate(batch.to(device)), len(batch.lengths) / count
        errors.append(found.errors)
        kl += float(found.kl.sum()) * share
        for name, figure in (found.figures or {}).items():
            figures[name] = figures.get(name, 0.0) + figure * share
    return float(torch.cat(errors).mean()), kl, figures
