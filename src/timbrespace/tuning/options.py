"""The options of a search for settings: names, defaults, checks and documentation in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.training.options import TrainOptions

OLD_RULES = {"behind": "threshold"}  # old names of pruning rules -> new ones
_NOT_FOR_TRIALS = ("continue_from", "resume", "devices", "nodes", "tensorboard", "encoded")


@dataclass(frozen=True)
class TuneOptions:
    """How to search; keyword arguments of `tune` and flags of `timbrespace tune` have the same names.

    trials: in all; those of earlier runs of the same search count.
    ranges: texts such as "model.dims=4..64:int:log", see `parse_range`. space: a YAML file of ranges; `ranges` override it. Without
        either, the preset's section `tune` is searched.
    sampler: tpe (tree of Parzen estimators), gp (Gaussian process), grid or random.
    prune: which trials end early: median, trend, threshold, both or none. factor: of threshold: a trial ends if it is this many times worse
        than the best at the same epoch.
    limit: trainable parameters; larger models are refused untrained.
    overfit: weight w in the objective: learned validation error · (1 + w · max(0, validation / train - 1)).
    storage: the URL of a database that several machines share, see `open_study`; by default a file in the output folder.
    study: its name there; by default it follows from the settings, so that the same command finds it again.
    """

    trials: int = 20
    ranges: tuple[str, ...] = ()
    space: Path | str | None = None
    sampler: str = "tpe"
    prune: str = "median"
    factor: float = 3.0
    limit: float | None = None
    overfit: float = 0.0
    storage: str | None = None
    study: str | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError for numbers out of range; sampler and prune are checked by `make_sampler` and `make_pruner`."""
        object.__setattr__(self, "ranges", tuple(self.ranges))
        object.__setattr__(self, "prune", OLD_RULES.get(self.prune, self.prune))
        if self.trials < 1:
            raise ConfigError(f"trials is {self.trials}, at least 1 is needed")
        for name, value, lowest in (("limit", self.limit, 1), ("overfit", self.overfit, 0)):
            if value is not None and not (math.isfinite(value) and value >= lowest):
                raise ConfigError(f"{name} is {value:g}, it must be a finite number of at least {lowest}")


def with_keywords(options: TuneOptions | None, training: TrainOptions | None, keywords: dict[str, Any]) -> tuple[TuneOptions, TrainOptions]:
    """Both options with `keywords` over them, each keyword in the one that has such a field.

    Raises TypeError for an unknown keyword, ConfigError for an option of a training that trials do not have.
    """
    names = {field.name for field in fields(TuneOptions)}
    search = {name: value for name, value in keywords.items() if name in names}
    training = replace(training or TrainOptions(), **{name: value for name, value in keywords.items() if name not in names})
    defaults = TrainOptions()
    for name in _NOT_FOR_TRIALS:
        if getattr(training, name) != getattr(defaults, name):
            raise ConfigError(f"{name} is {getattr(training, name)!r}; trials of a search do not have this option, leave it out")
    return replace(options or TuneOptions(), **search), training
