"""One trial of a search: a training that ends early if a rule prunes it. Needs the extra `tune`."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from optuna import Study, Trial, TrialPruned

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.callbacks import Progress, StopTraining, TrainingCallbacks
from timbrespace.training.data.source import clip_samples
from timbrespace.training.history import overfit_ratio
from timbrespace.training.log import log_path
from timbrespace.training.loop import DivergedError
from timbrespace.training.options import TrainOptions
from timbrespace.training.train import train
from timbrespace.tuning.options import TuneOptions
from timbrespace.tuning.pruners import LAST_MARK, mark
from timbrespace.tuning.ranges import Range
from timbrespace.tuning.space import settings_with


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a search share. units: of the errors, filled in by the first finished trial."""

    corpus: Corpus
    out: Path
    work: Path
    ranges: Sequence[Range]
    options: TuneOptions
    training: TrainOptions
    on_trial: Callable[[str], None]
    units: list[str] = field(default_factory=list)


def objective(trial: Trial, settings: TrialSettings) -> float:
    """The objective of a trial, after its training. Raises TrialPruned, with the reason, for a pruned or a refused trial."""
    return _TrialRun(trial, settings).run()


class _TrialRun:
    """The training of one trial; `metrics` are those of its newest check, in the end those of what it learned."""

    def __init__(self, trial: Trial, settings: TrialSettings):
        self.trial, self.settings = trial, settings
        self.metrics: dict[str, float] = {}
        self.finished, self.last_mark = False, -1
        self.started = time.perf_counter()

    def run(self) -> float:
        """Trains with the suggested settings, and returns the objective."""
        config = self._config()
        self._train(config)
        if not self.finished:
            raise self._ended("pruned", f"worse than others at epoch {self.metrics['epochs']:.3g}")
        ratio, error = self._store_metrics(), self.metrics["validation"]
        value = error if ratio is None else error * (1 + self.settings.options.overfit * max(0.0, ratio - 1))
        unit = self.settings.units[0]
        self.settings.on_trial(f"trial {self.trial.number}: {value:.5g} {unit}{_compared(self.trial.study, value)}")
        return value

    def _config(self) -> Config:
        """The settings that the sampler suggests. A trial with impossible settings or too many parameters is refused."""
        values = {part.key: part.suggest(self.trial) for part in self.settings.ranges}
        try:
            config = settings_with(self.settings.training, values)
            parameters = count_parameters(config, self.settings.corpus)
        except (ConfigError, ShapeError) as error:
            raise self._ended("refused", str(error)) from None
        self.trial.set_user_attr("parameters", parameters)
        limit = self.settings.options.limit
        if limit is not None and parameters > limit:
            raise self._ended("refused", f"{parameters:,} parameters, {limit:,.0f} are the limit")
        return config

    def _train(self, config: Config) -> None:
        """Trains until the trial is finished or pruned, and keeps the log."""
        name = f"trial-{self.trial.number:04d}"
        target = self.settings.work / f"{name}.safetensors"
        options = replace(
            self.settings.training, preset=config, changes=(), minutes=None, epochs=None, force=True, encoded=self.settings.work / "encoded"
        )  # fmt: skip
        try:
            train(self.settings.corpus, target, options, callbacks=TrainingCallbacks(on_progress=self._on_progress))
        except StopTraining:
            pass
        except (ConfigError, ShapeError) as error:
            raise self._ended("refused", str(error)) from None
        except DivergedError as error:
            raise self._ended("pruned", str(error)) from None
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "memory" not in str(error):
                raise
            raise self._ended("refused", "out of memory") from None
        finally:
            _keep_log(log_path(target), self.settings.out / "logs" / f"{name}.jsonl")

    def _on_progress(self, progress: Progress) -> None:
        """Reports every check to Optuna. Ends the training when a rule prunes it, or when all steps are done: no card is needed."""
        if progress.stage == "train" and progress.metrics and progress.done:  # the check before the first step says nothing about learning
            now = mark(progress.epoch)
            if self.last_mark < 0:
                self.trial.set_user_attr(LAST_MARK, mark(progress.epoch * progress.total / max(1, progress.done)))
            self.metrics.update(progress.metrics, epochs=round(progress.epoch, 3))
            for number in range(self.last_mark + 1 if self.last_mark >= 0 else now, now + 1):  # also the marks since the last check
                self.trial.report(progress.metrics["validation"], number)
            self.last_mark = max(self.last_mark, now)
            if self.trial.should_prune():
                raise StopTraining
        elif progress.stage == "finish":
            self.metrics.update(progress.metrics | progress.learned)  # what was learned, also if the start is kept
            self.finished = True
            self.settings.units[:] = [progress.unit]
            self.trial.set_user_attr("unit", progress.unit)
            raise StopTraining

    def _ended(self, state: str, reason: str) -> TrialPruned:
        """The exception that ends a trial without an objective; its metrics and the reason are stored."""
        self._store_metrics()
        self.trial.set_user_attr("reason", reason)
        if state == "refused":
            self.trial.set_user_attr("refused", True)
        self.settings.on_trial(f"trial {self.trial.number}: {state}: {reason}")
        return TrialPruned(reason)

    def _store_metrics(self) -> float | None:
        """The overfit ratio, None unless errors are above 0; stored with all metrics in the study."""
        self.metrics["seconds"] = round(time.perf_counter() - self.started, 1)
        ratio = overfit_ratio(self.metrics["train"], self.metrics["validation"]) if "train" in self.metrics else None
        if ratio is not None:
            self.trial.set_user_attr("overfit_ratio", ratio)
        for name, stored in (
            ("validation", "error"),
            ("start", "start_error"),
            ("train", "train_error"),
            ("epochs", "epochs"),
            ("seconds", "seconds"),
        ):
            if name in self.metrics:
                self.trial.set_user_attr(stored, self.metrics[name])
        return ratio


def _compared(study: Study, value: float) -> str:
    """An objective in comparison with the best one so far."""
    try:
        best = study.best_trial
    except ValueError:
        return ", the first"
    assert best.value is not None
    return ", the best so far" if value < best.value else f", best {best.value:.5g} (trial {best.number})"


def count_parameters(config: Config, corpus: Corpus) -> int:
    """The number of trainable parameters of the model that `config` describes. Raises ConfigError, ShapeError."""
    representation = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    samples = clip_samples(corpus, config.training.seconds)
    try:
        with torch.device("meta"):  # without memory for its weights
            model = build_model(config.model, representation=copy.copy(representation), samples=samples)
    except Exception:  # some constructors read values of tensors; an error of the settings is raised again below
        with torch.random.fork_rng():
            model = build_model(config.model, representation=representation, samples=samples)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _keep_log(log: Path, target: Path) -> None:
    """Moves the log of a trial to `target`, if there is one."""
    if log.exists():
        with suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            log.replace(target)
