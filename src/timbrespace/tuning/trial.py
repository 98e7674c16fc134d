"""One trial of a search: a training as far as it is worth it. Needs the extra `tune`."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from optuna import Study, Trial, TrialPruned

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.callbacks import Progress, StopTraining, TrainingCallbacks
from timbrespace.training.data.source import clip_samples
from timbrespace.training.log import log_path
from timbrespace.training.loop import DivergedError
from timbrespace.training.train import train
from timbrespace.tuning.samplers import LAST_MARK, mark
from timbrespace.tuning.space import Range, settings_with


@dataclass(frozen=True)
class Search:
    """A search's settings, the same for every trial. See `tune`."""

    corpus: Corpus
    out: Path
    preset: str | Path
    ranges: Sequence[Range]
    changes: tuple[str, ...]
    budget: dict[str, float | None]
    limit: float | None
    overfit: float
    seed: int
    device: str
    work: Path
    told: Callable[[str], None]
    units: list[str] = field(default_factory=list)  # of the errors, as soon as they are known


def objective(trial: Trial, search: Search) -> float:
    """Trains once and gives the objective. Raises TrialPruned for a trial that is cut, or refused for its settings; it holds the reason."""
    started = time.perf_counter()
    name = f"trial {trial.number}"

    def end(state: str, reason: str) -> TrialPruned:
        figures["seconds"] = round(time.perf_counter() - started, 1)
        _keep_figures(trial, figures)
        trial.set_user_attr("reason", reason)
        if state == "refused":
            trial.set_user_attr("refused", True)
        search.told(f"{name}: {state}: {reason}")
        return TrialPruned(reason)

    figures: dict[str, float] = {}
    values = {part.key: part.suggest(trial) for part in search.ranges}
    try:
        config = settings_with(search.preset, values, changes=search.changes, **search.budget)
        parameters = count_parameters(config, search.corpus)
    except (ConfigError, ShapeError) as error:
        raise end("refused", str(error)) from None
    trial.set_user_attr("parameters", parameters)
    if search.limit is not None and parameters > search.limit:
        raise end("refused", f"{parameters:,} parameters, {search.limit:,.0f} are the limit")
    last = -1

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if progress.stage == "train" and progress.metrics and progress.done:  # where it begins says nothing of how it learns
            now = mark(progress.epoch)
            if last < 0:
                trial.set_user_attr(LAST_MARK, mark(progress.epoch * progress.total / max(1, progress.done)))
            figures.update(progress.metrics, epochs=round(progress.epoch, 3))
            for number in range(last + 1 if last >= 0 else now, now + 1):  # what was passed since the last check counts as seen now
                trial.report(progress.metrics["validation"], number)
            last = max(last, now)
            if trial.should_prune():
                raise StopTraining
        elif progress.stage == "finish":
            figures.update(progress.metrics, through=1.0)
            search.units[:] = [progress.unit]
            trial.set_user_attr("unit", progress.unit)
            raise StopTraining

    target = search.work / f"trial-{trial.number:04d}.safetensors"
    try:
        train(
            search.corpus, target, preset=config, seed=search.seed, device=search.device, force=True,
            encoded=search.work / "encoded", callbacks=TrainingCallbacks(on_progress=on_progress),
        )  # fmt: skip
    except StopTraining:
        pass
    except (ConfigError, ShapeError) as error:
        raise end("refused", str(error)) from None
    except DivergedError as error:
        raise end("cut", str(error)) from None
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise end("refused", "out of memory") from None
    finally:
        _keep_log(log_path(target), search.out / "logs" / f"trial-{trial.number:04d}.jsonl")
    if "through" not in figures:
        raise end("cut", f"worse than others at epoch {figures['epochs']:.3g}")
    figures["seconds"] = round(time.perf_counter() - started, 1)
    ratio = _keep_figures(trial, figures)
    value = figures["validation"] * (1 + search.overfit * max(0.0, ratio - 1)) if ratio is not None else figures["validation"]
    search.told(f"{name}: {value:.5g} {search.units[0]}" + _versus(trial.study, value))
    return value


def _keep_figures(trial: Trial, figures: dict[str, float]) -> float | None:
    """Stores a trial's figures, and gives its overfit ratio, if errors are above 0."""
    ratio = None
    if figures.get("train", 0.0) > 0 and math.isfinite(figures["validation"] / figures["train"]):
        ratio = figures["validation"] / figures["train"]
        trial.set_user_attr("overfit_ratio", ratio)
    for name, stored in (("validation", "error"), ("train", "train_error"), ("epochs", "epochs"), ("seconds", "seconds")):
        if name in figures:
            trial.set_user_attr(stored, figures[name])
    return ratio


def _versus(study: Study, value: float) -> str:
    try:
        best = study.best_trial
    except ValueError:
        return ", the first"
    assert best.value is not None
    return ", the best so far" if value < best.value else f", best {best.value:.5g} (trial {best.number})"


def count_parameters(config: Config, corpus: Corpus) -> int:
    """Trainable parameters of the model that a training with `config` would begin with. Raises ConfigError, ShapeError."""
    representation = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    samples = clip_samples(corpus, config.training.seconds)
    try:
        with torch.device("meta"):  # without the memory
            model = build_model(config.model, representation=copy.copy(representation), samples=samples)
    except Exception:  # a constructor that looks at its numbers cannot do without; a fault of the settings is told below
        with torch.random.fork_rng():
            model = build_model(config.model, representation=representation, samples=samples)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _keep_log(log: Path, place: Path) -> None:
    if log.exists():
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            log.replace(place)
