"""The training loop of the residual VAE: plain, by steps, the same whether it was interrupted or not.

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
from torch import Tensor, nn

from timbrespace.config import Training
from timbrespace.contracts import TimbrespaceError
from timbrespace.model.oneshot import OneShot
from timbrespace.training.losses import ImageError, kl_to_normal, total

_WARM_UP = 100  # steps
_SAVE_SECONDS = 20.0
_SMOOTHED_OVER = 3  # checks in the moving average of the validation error
_KEPT = 0.999  # decay of the averaged parameters, late in training
_FIELDS = ("coefficients", "lengths", "inside")


@dataclass(frozen=True)
class Sounds:
    """Encoded sounds: coefficients `(n, coefficients)`, standardised log lengths `(n, 1)`, steps inside the true length `(n,)`."""

    coefficients: Tensor
    lengths: Tensor
    inside: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Sounds:
        return Sounds(*(getattr(self, name)[rows] for name in _FIELDS))

    def to(self, device: torch.device) -> Sounds:
        """The same on `device`."""
        return Sounds(*(getattr(self, name).to(device) for name in _FIELDS))


@dataclass
class History:
    """What was seen at each check: one list a figure, all the same length. Errors in dB."""

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)


class Checkpoints(Protocol):
    """Where states go: see `Workspace`."""

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Stores a state."""

    def load(self, name: str) -> dict[str, Any] | None:
        """The stored state, or None."""


def run(
    model: OneShot,
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

    sounds: all images' coefficients, the first `own` of them the unvaried training clips. Batch, noise and dropout of a step
    depend on (seed, step) alone. Stops early when the moving average of the validation error has not improved for `settings.patience`
    checks. A stored checkpoint is taken up. Raises TimbrespaceError when the loss is no longer finite.
    """
    device = fabric.device
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    module, optimizer = fabric.setup(model, optimizer)
    module.mark_forward_method("posterior")
    module.mark_forward_method("reconstruct")
    model.train()
    averaged = copy.deepcopy(model).eval()
    error = ImageError(model.basis, steps=model.steps)
    sounds, validation = sounds.to(device), validation.to(device)
    weights = settings.weights.model_dump()
    history, step, best, stale = History(), 0, math.inf, 0
    best_state = copy.deepcopy(averaged.state_dict())

    stored = checkpoints.load("checkpoint.pt")
    if stored:
        model.load_state_dict(stored["model"])
        averaged.load_state_dict(stored["averaged"])
        optimizer.load_state_dict(stored["optimizer"])
        best_state, best, stale, step = stored["best_state"], stored["best"], stored["stale"], stored["step"]
        history = History(**stored["history"])

    def save() -> None:
        checkpoints.save(
            "checkpoint.pt",
            {"model": model.state_dict(), "averaged": averaged.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            | {"best_state": best_state, "best": best, "stale": stale, "history": vars(history)},
        )

    saved = time.monotonic()
    while step < steps and stale < settings.patience:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.random.fork_rng():
            torch.manual_seed((seed * 1_000_003 + step) % 2**63)
            batch = sounds[torch.randint(len(sounds.inside), (settings.batch,)).to(device)]
            losses = _losses(module, batch, error)
        fabric.backward(total(losses, weights))
        fabric.clip_gradients(module, optimizer, max_norm=5.0, error_if_nonfinite=False)  # the check below tells it in words
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        _average(averaged, model, kept=min(_KEPT, (1 + step) / (10 + step)))

        if step % check_every == 0 or step == steps:
            figures = _check(averaged, sounds[slice(0, min(own, 1024))], validation, error)
            if not all(map(math.isfinite, figures)):
                raise TimbrespaceError(
                    f"the loss is no longer finite at step {step}; lower training.learning_rate (it is {settings.learning_rate:g})"
                )
            for name, figure in zip(("step", "train", "validation", "kl"), (step, *figures), strict=True):
                getattr(history, name).append(figure)
            recent = history.validation[-_SMOOTHED_OVER:]
            smooth = sum(recent) / len(recent)
            if smooth < best - 1e-3:
                best, stale = smooth, 0
            else:
                stale += 1
            if figures[1] <= min(history.validation):
                best_state = copy.deepcopy(averaged.state_dict())
            progress(step, steps, history)
        if time.monotonic() - saved > _SAVE_SECONDS:
            save()
            saved = time.monotonic()
    save()
    model.load_state_dict(best_state)
    return history


def _losses(model: Any, batch: Sounds, error: ImageError) -> dict[str, Tensor]:
    """One dict of losses, the keys of `config.Weights`."""
    posterior = model.posterior(batch.coefficients, batch.lengths)
    noise = torch.randn(posterior.mean.shape).to(posterior.mean)  # drawn on the CPU: the same on every device
    coefficients, lengths = model.reconstruct(posterior.mean + noise * (posterior.log_variance / 2).exp())
    return {
        "reconstruction": error(coefficients, batch.coefficients, batch.inside).mean(),
        "kl": kl_to_normal(posterior).mean(),
        "length": (lengths - batch.lengths).square().mean(),
    }


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, *, kept: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), [p.detach() for p in model.parameters()], 1 - kept)


@torch.no_grad()
def _check(model: OneShot, train: Sounds, validation: Sounds, error: ImageError) -> tuple[float, float, float]:
    """Mean error over sounds in dB (root of the mean square over a sound's cells) on both sets, and the KL in nats a sound."""

    def mean_error(sounds: Sounds) -> tuple[float, float]:
        posterior = model.posterior(sounds.coefficients, sounds.lengths)
        found, _ = model.reconstruct(posterior.mean)
        return float(error(found, sounds.coefficients, sounds.inside).sqrt().mean()), float(kl_to_normal(posterior).mean())

    train_error, kl = mean_error(train)
    return train_error, mean_error(validation)[0], kl
