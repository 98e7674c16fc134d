"""Staged training: the outer model learns sounds, then stays as it is; its codes are stored once; the inner model learns those."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.config.schema import Kl, Training
from timbrespace.model.base import Batch, Model
from timbrespace.model.wrappers.staged import Staged
from timbrespace.training.calibration import Cost
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.sounds import InMemory, OnDisk, Sounds, batches_of, spread
from timbrespace.training.distributed import rank_zero_first
from timbrespace.training.loop import Checkpoints, History, best_check, evaluate, run
from timbrespace.training.schedules import settled
from timbrespace.training.workspace import Plan, Workspace

_CODING, _CLOSING = 2, 3  # times that every sound, and every clip, goes through the model after it has learned: about
_STATISTICS_OF = 4_096  # sounds, evenly spread, at most
_CHECKED = 1_024  # sounds measured at the end, at most
_MOST = 6e4  # what half precision holds

Progress = Callable[[str, int, int, History], None]


class StepBudget(Protocol):
    """Makes steps of a price, see `stage_steps`."""

    def __call__(self, cost: Cost | None, *, share: float, after: float) -> tuple[int, int]:
        """cost: of one stage, None where epochs count; share: of all, for this stage; after: seconds of work beside both stages."""


def stage_steps(
    model: Model, sounds: Sounds, validation: Sounds, *, own: int, price: Callable[[Model, Sounds, Sounds], Cost | None], stint: StepBudget
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Steps of each stage, and steps between its checks; 0 and 0 for a second that there is not. own: clips among `sounds`."""
    staged = _staged(model)
    if staged is None:
        cost = price(model, sounds, validation)
        return stint(cost, share=1.0, after=cost.look * _CLOSING * own if cost else 0.0), (0, 0)
    blank, few = (_Blank(len(some), tuple(staged.mean.shape)) for some in (sounds, validation))
    outer, inner = price(staged.outer, sounds, validation), price(staged.inner, blank, few)
    after = outer.look * (_CODING * len(sounds) + _CLOSING * own) if outer else 0.0
    return stint(outer, share=staged.share, after=after), stint(inner, share=1 - staged.share, after=after)


def learn(
    model: Model,
    sounds: Sounds,
    *,
    own: int,
    validation: Sounds,
    settings: Training,
    plan: Plan,
    fabric: Fabric,
    workspace: Workspace,
    progress: Progress,
) -> tuple[History, dict[str, Any]]:
    """Trains `model` in place, in one stage or two; resumes within either. Gives its history and what the card says of two stages.

    sounds, own, validation, settings: as in `loop.run`. progress: called with the stage ("train"; of two "outer", "codes",
    "train"), done, total and the history so far, which is empty for codes. In the history of two stages the inner steps go on
    counting where the outer ones ended, with errors in another unit; the figure `stage` says which is which. The schedule of the KL
    is the inner stage's.
    """
    staged = _staged(model)
    if staged is None:
        history = run(
            model, sounds, own=own, validation=validation, settings=settings, steps=plan.steps, check_every=plan.check_every,
            seed=plan.seed, fabric=fabric, checkpoints=workspace, progress=lambda step, steps, seen: progress("train", step, steps, seen),
        )  # fmt: skip
        return history, {}
    model = staged
    outer = run(
        model.outer, sounds, own=own, validation=validation, settings=settings.model_copy(update={"kl": Kl()}), steps=plan.steps,
        check_every=plan.check_every, seed=plan.seed, fabric=fabric, checkpoints=_Renamed(workspace, "outer.pt"),
        progress=lambda step, steps, seen: progress("outer", step, steps, seen),
    )  # fmt: skip
    model.outer.requires_grad_(False).eval()
    model.to(fabric.device)
    folder = workspace.path / "codes"
    codes = _Codes(model, sounds, fabric.device)

    def opened() -> ImageStore:
        return ImageStore(folder, rows=len(sounds), cells=model.mean.numel())

    def encode() -> None:
        if workspace.load("codes.pt") is None:
            mean, deviation = code_statistics(model, sounds, device=fabric.device)
            workspace.save("codes.pt", {"mean": mean, "deviation": deviation})
        model.set_codes(**_statistics(workspace))
        folder.mkdir(exist_ok=True)
        opened().fill(codes.images, progress=lambda done, total: progress("codes", done, total, History()))

    rank_zero_first(fabric, encode)
    model.set_codes(**_statistics(workspace))
    store = opened()
    if settings.start == "corpus":
        model.inner.cpu().initialise(spread(OnDisk(store, tuple(model.mean.shape))))
    held = [codes.of(batch) for batch in batches_of(validation, len(validation))]
    inner = run(
        model.inner, OnDisk(store, tuple(model.mean.shape)), own=own,
        validation=InMemory(torch.cat([batch.values for batch in held]), torch.cat([batch.lengths for batch in held])),
        settings=settings, steps=plan.inner_steps, check_every=plan.inner_check_every, seed=plan.seed, fabric=fabric,
        checkpoints=_Renamed(workspace, "inner.pt"),
        progress=lambda step, steps, seen: progress("train", step, steps, _joined(outer, seen)),
    )  # fmt: skip
    store.close()
    history = _joined(outer, inner)
    return history, _card(model, history, outer, inner, sounds, own, validation, settings, plan, fabric.device)


def _staged(model: Model) -> Staged | None:
    """The model, if it learns in two stages."""
    return model if isinstance(model, Staged) and not model.together else None


def _joined(outer: History, inner: History) -> History:
    """One history of both stages."""
    joined = History(*(getattr(outer, name) + getattr(inner, name) for name in ("step", "train", "validation", "kl")))
    joined.step = outer.step + [outer.step[-1] + step for step in inner.step]
    for name in outer.figures | inner.figures:
        before, after = (history.figures.get(name, [math.nan] * len(history.step)) for history in (outer, inner))
        joined.figures[name] = before + after
    joined.figures["stage"] = [1.0] * len(outer.step) + [2.0] * len(inner.step)
    return joined


@dataclass(frozen=True)
class _Blank:
    """As many sounds as are asked for, all ones: to calibrate a stage whose sounds are not there yet."""

    count: int
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Tensor) -> Batch:
        return Batch(torch.ones(len(rows), *self.shape), torch.ones(len(rows), dtype=torch.int64))


@torch.no_grad()
def code_statistics(model: Staged, sounds: Sounds, *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every code value over up to 4,096 sounds spread over all, of the shape of `model.mean`."""
    count = min(len(sounds), _STATISTICS_OF)
    total = torch.zeros(model.mean.shape, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for batch in batches_of(sounds, torch.arange(count) * len(sounds) // count):
        codes = model.raw_codes(batch.to(device)).cpu().double()
        total += codes.sum(0)
        squares += codes.square().sum(0)
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()


def _statistics(workspace: Workspace) -> dict[str, Tensor]:
    state = workspace.load("codes.pt")
    assert state is not None
    return {"mean": state["mean"], "deviation": state["deviation"]}


class _Codes:
    """Encodes rows of `sounds` for a store."""

    def __init__(self, model: Staged, sounds: Sounds, device: torch.device):
        self.model, self.sounds, self.device = model, sounds, device

    def images(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        """Codes `(rows, values)` and lengths `(rows,)` in samples."""
        batch = self.of(self.sounds[torch.tensor(rows)])
        return batch.values.flatten(1), batch.lengths

    @torch.no_grad()
    def of(self, batch: Batch) -> Batch:
        """Sounds as standardised codes, on the CPU."""
        codes = self.model.codes(batch.to(self.device)).to(torch.device("cpu"))
        return Batch(codes.values.clamp(-_MOST, _MOST), codes.lengths)


class _Renamed:
    """Checkpoints of a stage under a name of its own."""

    def __init__(self, checkpoints: Checkpoints, name: str):
        self.checkpoints, self.name = checkpoints, name

    def save(self, name: str, state: dict[str, Any]) -> None:
        self.checkpoints.save(self.name, state)

    def load(self, name: str) -> dict[str, Any] | None:
        return self.checkpoints.load(self.name)


def _card(
    model: Staged,
    joined: History,
    outer: History,
    inner: History,
    sounds: Sounds,
    own: int,
    validation: Sounds,
    settings: Training,
    plan: Plan,
    device: torch.device,
) -> dict[str, Any]:
    """Errors from sound to sound through both, and what each stage did, errors in its own unit."""
    model.eval()
    with torch.no_grad():
        train, *_ = evaluate(model, sounds, min(own, _CHECKED), device)
        held, *_ = evaluate(model, validation, len(validation), device)
    stages, best = {}, 0
    for name, part, history, steps in (("outer", model.outer, outer, plan.steps), ("inner", model.inner, inner, plan.inner_steps)):
        best = best_check(history, first=settled(settings.kl, steps=steps) if name == "inner" else 0)
        stages[name] = {
            "parameters": sum(p.numel() for p in part.parameters()),
            "steps": history.step[-1],
            "steps_planned": steps,
            "best_step": history.step[best],
            "unit": part.unit if name == "outer" else "% of the codes' deviation",
            "train_error": round(history.train[best], 3),
            "validation_error": round(history.validation[best], 3),
        }
    return {
        "steps": outer.step[-1] + inner.step[-1],
        "steps_planned": plan.steps + plan.inner_steps,
        "stopped_early": outer.step[-1] < plan.steps or inner.step[-1] < plan.inner_steps,
        "train_error": round(train, 3),
        "validation_error": round(held, 3),
        "overfit_ratio": round(held / max(train, 1e-9), 3),
        "best_step": joined.step[len(outer.step) + best],
        "kl_nats": round(inner.kl[best], 2),
        "figures": {name: round(values[best], 3) for name, values in inner.figures.items()},
        "stages": stages,
    }
