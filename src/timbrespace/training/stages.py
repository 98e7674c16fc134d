"""Training in stages: most models have one. Of a `staged` model the outer part is trained first, then the inner part on its codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.config.schema import Kl, Training
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Model
from timbrespace.model.stage import CodeSource, Stage
from timbrespace.training.calibration import Cost, StepBudget
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.data.sounds import InMemory, OnDisk, Sounds, batches_of, initial_batch, table
from timbrespace.training.distributed import rank_zero_first
from timbrespace.training.history import History, best_check, concatenated, learned_errors, overfit_ratio
from timbrespace.training.loop import CHECKED_CLIPS, CHECKPOINT, Checkpoints, evaluate, fit_model
from timbrespace.training.losses import settled_step
from timbrespace.training.sample import CARD_CLIPS, sample_clips
from timbrespace.training.workspace import Plan, Workspace

_CODING, _CLOSING = 2, 3  # passes of every sound, and of every clip, through the model after training: about
_STATISTICS_SOUNDS = 4_096  # evenly spread, at most
_LARGEST = 6e4  # the largest number that half precision holds, about

OnCheck = Callable[[str, int, int, History], None]  # stage, step, steps, history


@dataclass(frozen=True)
class StageRun:
    """One stage of a training. name: in progress reports. part: of the model. checkpoint: its file. steps, check_every: from the plan."""

    name: str
    part: Stage
    checkpoint: str
    settings: Training
    steps: int
    check_every: int

    @property
    def model(self) -> Model:
        """The model, or the part of it, that learns."""
        return self.part.model


def stages_of(model: Model, settings: Training, plan: Plan) -> list[StageRun]:
    """The stages of a training, in order. The last one is reported as "train"; the schedule of the KL is for it. Raises ConfigError."""
    first, *rest = _checked_stages(model)
    if not rest:
        return [StageRun("train", first, CHECKPOINT, settings, plan.steps, plan.check_every)]
    second = rest[0]
    without_kl = settings.model_copy(update={"kl": Kl()})
    return [
        StageRun(first.name, first, f"{first.name}.pt", without_kl, plan.steps, plan.check_every),
        StageRun("train", second, f"{second.name}.pt", settings, plan.inner_steps, plan.inner_check_every),
    ]


def _checked_stages(model: Model) -> list[Stage]:
    """The stages in which a model learns: one, or two of which the second learns codes of the first. Raises ConfigError."""
    stages = model.stages()
    with_codes = [stage.codes is not None for stage in stages]
    if with_codes not in ([False], [False, True]):
        names = ", ".join(stage.name + " (codes)" * (stage.codes is not None) for stage in stages) or "none"
        raise ConfigError(
            f"the model {type(model).__name__} has {len(stages)} stages: {names}; allowed are one, or two of which the second learns codes"
        )
    if len({stage.name for stage in stages}) < len(stages):
        raise ConfigError(f"both stages of the model {type(model).__name__} are named {stages[0].name!r}; give them two names")
    return stages


def stage_steps(
    model: Model, sounds: Sounds, validation: Sounds, *, clip_count: int,
    measure: Callable[[Model, Sounds, Sounds], Cost | None], budget: Callable[[], StepBudget],
) -> tuple[tuple[int, int], tuple[int, int]]:  # fmt: skip
    """Steps and steps between checks of the first stage and of the second; 0 and 0 if there is no second.

    measure: the cost of training a model, None where epochs count. budget: called when all costs are known.
    """
    outer_stage, *rest = _checked_stages(model)
    if not rest:
        cost = measure(outer_stage.model, sounds, validation)
        return budget().steps(cost, after=cost.evaluation * _CLOSING * clip_count if cost else 0.0), (0, 0)
    inner_stage = rest[0]
    assert inner_stage.codes is not None
    outer = measure(outer_stage.model, sounds, validation)
    shape = inner_stage.codes.code_shape
    inner = measure(inner_stage.model, _ones(len(sounds), shape), _ones(len(validation), shape))
    after = outer.evaluation * (_CODING * len(sounds) + _CLOSING * clip_count) if outer else 0.0
    both = budget()
    return both.steps(outer, share=outer_stage.share, after=after), both.steps(inner, share=inner_stage.share, after=after)


def fit_stages(
    model: Model, sounds: Sounds, *, categories: Sequence[str | None], validation: Sounds, settings: Training, plan: Plan, fabric: Fabric,
    workspace: Workspace, on_check: OnCheck,
) -> tuple[History, dict[str, Any], dict[str, float]]:  # fmt: skip
    """Trains `model` in place, stage by stage. Returns its history, what the card says about two stages (empty for one), and
    the errors `learned` of `Progress`.

    sounds, validation, settings: as in `fit_model`. categories: of the training clips, the first rows of `sounds`. Resumes within any
    stage. on_check: called with the stage ("train"; of two stages the name of the first, such as "outer", then "codes", "train"), done,
    total and the history so far, which is empty for codes. In the history of two stages the inner steps count on from the last outer
    one, with errors in another unit; its metric `stage` says which is which.
    """
    learned, held, histories = sounds, validation, list[History]()
    checked = sample_clips(categories, CHECKED_CLIPS, seed=plan.seed)
    stages = stages_of(model, settings, plan)
    store: ImageStore | None = None
    for stage in stages:
        if stage.part.codes is not None:
            stages[len(histories) - 1].model.requires_grad_(False).eval()
            model.to(fabric.device)
            codes = _Codes(stage.part.codes, sounds, fabric, workspace, on_check)
            store = codes.stored()
            learned, held = OnDisk(store, codes.shaped), codes.in_memory(validation)
            if settings.initialisation == "pca":
                stage.model.cpu().initialise(initial_batch(learned))
        histories.append(
            fit_model(
                stage.model, learned, checked=checked, validation=held, settings=stage.settings, steps=stage.steps,
                check_every=stage.check_every, seed=plan.seed, fabric=fabric, checkpoints=_Renamed(workspace, stage.checkpoint),
                on_check=_reporter(stage, histories, on_check),
            )
        )  # fmt: skip
    if store is None:
        return histories[0], {}, _learned(stages, histories, {})
    store.close()
    card = _card(
        model, stages, histories, sounds, validation, checked=sample_clips(categories, CARD_CLIPS, seed=plan.seed), device=fabric.device
    )
    return concatenated(histories), card, _learned(stages, histories, card)


def _reporter(stage: StageRun, earlier: list[History], on_check: OnCheck) -> Callable[[int, int, History], None]:
    """Reports a check of a stage, with the history of the stages before it."""
    before = list(earlier)

    def report(step: int, steps: int, history: History) -> None:
        on_check(stage.name, step, steps, concatenated([*before, history]))

    return report


def _learned(stages: list[StageRun], histories: list[History], card: dict[str, Any]) -> dict[str, float]:
    """The errors of what was learned. Of two stages, those from sound to sound, times learned error by kept error of each stage."""
    kept, learned = [], []
    for stage, history in zip(stages, histories, strict=True):
        first = settled_step(stage.settings.kl, steps=stage.steps)
        best = best_check(history, first=first)
        kept.append((history.train[best], history.validation[best]))
        learned.append(learned_errors(history, first=first))
    if not card:
        start = {"start": histories[0].validation[0]} if histories[0].step[0] == 0 else {}
        return {"train": learned[0][0], "validation": learned[0][1]} | start
    errors = {"train": card["train_error"], "validation": card["validation_error"]}
    for before, after in zip(kept, learned, strict=True):
        for name, one, other in zip(errors, before, after, strict=True):
            errors[name] *= other / one if one > 0 else 1.0
    return errors


def _ones(count: int, shape: tuple[int, ...]) -> InMemory:
    """`count` sounds of ones that share their memory: to time a stage whose sounds are not encoded yet."""
    return InMemory(torch.ones(()).expand(count, *shape), torch.ones(count, dtype=torch.int64))


@torch.no_grad()
def code_statistics(source: CodeSource, sounds: Sounds, *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every code value, of the shape of a sound's codes, over up to 4,096 sounds spread over all."""
    count = min(len(sounds), _STATISTICS_SOUNDS)
    total = torch.zeros(source.code_shape, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for batch in batches_of(sounds, torch.arange(count) * len(sounds) // count):
        codes = source.raw_codes(batch.to(device)).cpu().double()
        total += codes.sum(0)
        squares += codes.square().sum(0)
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()


class _Codes:
    """The codes that the trained outer model gives for `sounds`: what the inner model learns from."""

    def __init__(self, source: CodeSource, sounds: Sounds, fabric: Fabric, workspace: Workspace, on_check: OnCheck):
        self.source, self.sounds, self.fabric, self.workspace, self.on_check = source, sounds, fabric, workspace, on_check

    def stored(self) -> ImageStore:
        """The codes of all sounds on disk; fixes the statistics that standardise them first."""
        return rank_zero_first(self.fabric, self._encode)

    def _encode(self) -> ImageStore:
        statistics = self.workspace.load("codes.pt")
        if statistics is None:
            mean, deviation = code_statistics(self.source, self.sounds, device=self.fabric.device)
            statistics = {"mean": mean, "deviation": deviation}
            self.workspace.save("codes.pt", statistics)
        self.source.set_codes(statistics["mean"], statistics["deviation"])
        folder = self.workspace.path / "codes"
        folder.mkdir(exist_ok=True)
        store = ImageStore(folder, rows=len(self.sounds), cells=math.prod(self.source.code_shape))
        store.fill(self._rows, progress=lambda done, total: self.on_check("codes", done, total, History()))
        return store

    def shaped(self, rows: Tensor) -> Tensor:
        """Stored codes `(n, values)` in the shape of a sound's codes, `(n, *code_shape)`."""
        return rows.unflatten(1, self.source.code_shape)

    def _rows(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        """Codes `(rows, values)` and lengths `(rows,)` in samples."""
        batch = self._encode_batch(self.sounds[torch.tensor(rows)])
        return batch.values.flatten(1), batch.lengths

    def in_memory(self, sounds: Sounds) -> InMemory:
        """The codes of other sounds."""
        values, lengths, done = torch.zeros(0), torch.zeros(len(sounds), dtype=torch.int64), 0
        for batch in map(self._encode_batch, batches_of(sounds, len(sounds))):
            rows = slice(done, done + len(batch.lengths))
            values = values if done else table((len(sounds), *batch.values.shape[1:]), self.workspace.path)
            values[rows], lengths[rows], done = batch.values, batch.lengths, rows.stop
        return InMemory(values, lengths)

    @torch.no_grad()
    def _encode_batch(self, batch: Batch) -> Batch:
        """Sounds -> standardised codes `(batch, *code_shape)`, on the CPU."""
        codes = self.source.codes(batch.to(self.fabric.device)).to(torch.device("cpu"))
        return Batch(codes.values.clamp(-_LARGEST, _LARGEST), codes.lengths)


class _Renamed:
    """The checkpoints of a stage under the name of that stage."""

    def __init__(self, checkpoints: Checkpoints, name: str):
        self.checkpoints, self.name = checkpoints, name

    def save(self, name: str, state: dict[str, Any]) -> None:
        self.checkpoints.save(self.name, state)

    def load(self, name: str) -> dict[str, Any] | None:
        return self.checkpoints.load(self.name)


def _card(
    model: Model,
    stages: list[StageRun],
    histories: list[History],
    sounds: Sounds,
    validation: Sounds,
    *,
    checked: Tensor,
    device: torch.device,
) -> dict[str, Any]:
    """Errors from sound to sound through both parts; and the steps and errors of each stage, in that stage's unit."""
    model.eval()
    train, *_ = evaluate(model, sounds, checked, device)
    held, *_ = evaluate(model, validation, len(validation), device)
    (outer, inner), parts, best = histories, {}, 0
    for stage, history in zip(stages, histories, strict=True):
        best = best_check(history, first=settled_step(stage.settings.kl, steps=stage.steps))
        parts[stage.part.name] = {
            "parameters": sum(p.numel() for p in stage.model.parameters()),
            "steps": history.step[-1],
            "steps_planned": stage.steps,
            "best_step": history.step[best],
            "unit": stage.model.unit if stage.part.codes is None else "% of the codes' deviation",
            "train_error": round(history.train[best], 3),
            "validation_error": round(history.validation[best], 3),
        }
    return {
        "steps": outer.step[-1] + inner.step[-1],
        "steps_planned": sum(stage.steps for stage in stages),
        "stopped_early": any(history.step[-1] < stage.steps for stage, history in zip(stages, histories, strict=True)),
        "train_error": round(train, 3),
        "validation_error": round(held, 3),
        "overfit_ratio": overfit_ratio(train, held),
        "best_step": outer.step[-1] + inner.step[best],
        "kl_nats": round(inner.kl[best], 2),
        "metrics": {name: round(values[best], 3) for name, values in inner.metrics.items()},
        "stages": parts,
    }
