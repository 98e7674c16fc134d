"""Training in stages: most models have one. Of a `staged` model the outer part is trained first, then the inner part on its codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.config.schema import Kl, Training
from timbrespace.contracts import ConfigError
from timbrespace.model.base import Model
from timbrespace.model.stage import Stage
from timbrespace.training.calibration import Cost, StepBudget
from timbrespace.training.data.codes import CodeSets, encode_codes
from timbrespace.training.data.sounds import InMemory, Sounds, initial_batch
from timbrespace.training.history import History, best_check, concatenated, learned_errors, overfit_ratio
from timbrespace.training.loop import CHECKED_CLIPS, CHECKPOINT, Checkpoints, evaluate, fit_model
from timbrespace.training.losses import settled_step
from timbrespace.training.sample import CARD_CLIPS, sample_clips
from timbrespace.training.workspace import Plan, StateFolder, Workspace

_CODING, _CLOSING = 2, 3  # passes of every sound, and of every clip, through the model after training: about

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


class FittedStages(NamedTuple):
    """The checks of all stages; what the card says about two stages, empty for one; the errors `learned` of `Progress`."""

    history: History
    card: dict[str, Any]
    learned: dict[str, float]


def stages_of(model: Model, settings: Training, plan: Plan) -> list[StageRun]:
    """The stages that a training has to do, in order. The last one is reported as "train"; the schedule of the KL is for it.

    Raises ConfigError.
    """
    first, *rest = _checked_stages(model)
    if not rest:
        return [StageRun("train", first, CHECKPOINT, settings, plan.steps, plan.check_every)]
    second = rest[0]
    if first.trained:
        return [StageRun("train", second, f"{second.name}.pt", settings, plan.steps, plan.check_every)]
    without_kl = settings.model_copy(update={"kl": Kl()})
    return [
        StageRun(first.name, first, f"{first.name}.pt", without_kl, plan.steps, plan.check_every),
        StageRun("train", second, f"{second.name}.pt", settings, plan.inner_steps, plan.inner_check_every),
    ]


def _checked_stages(model: Model) -> list[Stage]:
    """The stages in which a model learns: one, or two; the second learns codes of the first. Raises ConfigError."""
    stages = model.stages()
    with_codes = [stage.codes is not None for stage in stages]
    if with_codes not in ([False], [False, True]):
        names = ", ".join(stage.name + " (codes)" * (stage.codes is not None) for stage in stages) or "none"
        raise ConfigError(
            f"the model {type(model).__name__} has {len(stages)} stages: {names}; allowed are one, or two; then the second learns codes"
        )
    if len({stage.name for stage in stages}) < len(stages):
        raise ConfigError(f"both stages of the model {type(model).__name__} are named {stages[0].name!r}; give them two names")
    return stages


def stage_steps(
    model: Model, sounds: Sounds, validation: Sounds, *, clip_count: int,
    measure: Callable[[Model, Sounds, Sounds], Cost | None], evaluation: Callable[[Model, Sounds], float], budget: Callable[[], StepBudget],
) -> tuple[tuple[int, int], tuple[int, int]]:  # fmt: skip
    """Steps and steps between checks of the first stage to do and of the second; 0 and 0 if there is no second.

    measure: the cost of training a model, None where epochs count. evaluation: seconds to evaluate a sound by a trained model.
    budget: called when all costs are known.
    """
    outer_stage, *rest = _checked_stages(model)
    if outer_stage.trained:
        codes = rest[0].codes
        assert codes is not None
        inner = measure(rest[0].model, _ones(len(sounds), codes.code_shape), _ones(len(validation), codes.code_shape))
        closing = evaluation(model, validation) * _CLOSING * clip_count if inner else 0.0
        return budget().steps(inner, after=closing), (0, 0)
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


def begin_inner(
    model: Model, sounds: Sounds, validation: Sounds, *, settings: Training, fabric: Fabric, folder: StateFolder,
    progress: Callable[[int, int], None], keep: bool = False, weights: Tensor | None = None, initialised: bool = False,
) -> CodeSets:  # fmt: skip
    """The codes that the second stage of a model learns, made by the first, which is trained; initialises the model of that stage.

    folder, keep, progress, weights: as in `encode_codes`. initialised: that model is trained already.
    """
    stage = model.stages()[-1]
    assert stage.codes is not None
    model.to(fabric.device)
    codes = encode_codes(stage.codes, sounds, validation, fabric=fabric, folder=folder, keep=keep, progress=progress, weights=weights)
    if settings.initialisation == "pca" and not initialised:
        stage.model.cpu().initialise(initial_batch(codes.learned, weights))
    return codes


def fit_stages(
    model: Model, sounds: Sounds, *, categories: Sequence[str | None], validation: Sounds, settings: Training, plan: Plan, fabric: Fabric,
    workspace: Workspace, on_check: OnCheck, codes: CodeSets | None = None, counted: Sequence[int] | None = None,
    weights: Tensor | None = None, initialised: bool = False,
) -> FittedStages:  # fmt: skip
    """Trains `model` in place, stage by stage.

    sounds, validation, settings, weights: as in `fit_model`. categories: of the training clips, the first rows of `sounds`.
    counted: the clips that checks may evaluate, see `sample_clips`. initialised: the model is trained already. Resumes within any
    stage. on_check: called with the stage ("train"; of two stages the name of the first, such as "outer", then "codes", "train"), done,
    total and the history so far, which is empty for codes. In the history of two stages the inner steps count on from the last outer
    one, with errors in another unit; its metric `stage` says which is which. codes: of `begin_inner`, where the first stage was trained
    before; then there is one history.
    """
    learned, held, histories = sounds, validation, list[History]()
    checked = sample_clips(categories, CHECKED_CLIPS, seed=plan.seed, counted=counted)
    stages = stages_of(model, settings, plan)
    for stage in stages:
        if stage.part.codes is not None:
            if codes is None:
                stages[len(histories) - 1].model.requires_grad_(False).eval()
                codes = begin_inner(
                    model, sounds, validation, settings=settings, fabric=fabric, folder=workspace,
                    progress=lambda done, total: on_check("codes", done, total, History()), weights=weights, initialised=initialised,
                )  # fmt: skip
            learned, held = codes.learned, codes.validation
        histories.append(
            fit_model(
                stage.model, learned, checked=checked, validation=held, settings=stage.settings, steps=stage.steps,
                check_every=stage.check_every, seed=plan.seed, fabric=fabric, checkpoints=_Renamed(workspace, stage.checkpoint),
                on_check=_reporter(stage, histories, on_check), weights=weights,
            )
        )  # fmt: skip
    if codes is None:
        return FittedStages(histories[0], {}, _learned(stages, histories, {}))
    codes.store.close()
    card_clips = sample_clips(categories, CARD_CLIPS, seed=plan.seed, counted=counted)
    card = _card(model, stages, histories, sounds, validation, checked=card_clips, device=fabric.device)
    return FittedStages(concatenated(histories), card, _learned(stages, histories, card))


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
    parts, best = dict[str, Any](), 0
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
        "steps": sum(history.step[-1] for history in histories),
        "steps_planned": sum(stage.steps for stage in stages),
        "stopped_early": any(history.step[-1] < stage.steps for stage, history in zip(stages, histories, strict=True)),
        "train_error": round(train, 3),
        "validation_error": round(held, 3),
        "overfit_ratio": overfit_ratio(train, held),
        "best_step": sum(history.step[-1] for history in histories[:-1]) + histories[-1].step[best],
        "kl_nats": round(histories[-1].kl[best], 2),
        "metrics": {name: round(values[best], 3) for name, values in histories[-1].metrics.items()},
        "stages": parts,
    }


def trained_card(model: Model, sounds: Sounds, validation: Sounds, *, checked: Tensor, device: torch.device) -> dict[str, Any]:
    """What the card says about a stage that was trained before: its own errors on these sounds, by the name of the stage; or nothing."""
    parts = dict[str, Any]()
    for stage in model.stages():
        if stage.trained:
            train, *_ = evaluate(stage.model, sounds, checked, device)
            held, *_ = evaluate(stage.model, validation, len(validation), device)
            parts[stage.name] = {
                "parameters": sum(p.numel() for p in stage.model.parameters()),
                "trained_before": True,
                "unit": stage.model.unit,
                "train_error": round(train, 3),
                "validation_error": round(held, 3),
            }
    return parts
