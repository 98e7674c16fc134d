"""Where a search looks next, and which trials it cuts: Optuna's samplers and pruners, and source B's rule. Needs the extra `tune`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from timbrespace.contracts import ConfigError
from timbrespace.tuning.space import Range, cells

SAMPLERS = ("tpe", "gp", "grid", "random")
CUTS = ("median", "behind", "both", "none")
LAST_MARK = "last_mark"  # user attribute of a trial: the mark at which it will end
_MARKS = math.log(1.1)  # between one mark and the next an epoch's number grows by a tenth
_FIRST_EPOCH = 1e-3
_FEWEST_MARKS = 3
_RATE_OVER = 8  # marks: the number of epochs about doubles


def mark(epoch: float) -> int:
    """The number under which an error at so many epochs is kept: trials whose checks lie elsewhere are compared at the same one."""
    return max(0, math.floor(math.log(max(epoch, _FIRST_EPOCH) / _FIRST_EPOCH) / _MARKS + 1e-9))


def epoch_of(number: int) -> float:
    """Epochs at a mark."""
    return _FIRST_EPOCH * math.exp(number * _MARKS)


class Grid(BaseSampler):
    """Every cell once, in order; several processes share the cells."""

    def __init__(self, ranges: Sequence[Range]):
        self.cells = cells(ranges)
        self._cell: dict[str, Any] = {}

    def left(self, study: Study) -> list[dict[str, Any]]:
        """The cells that no trial has taken, in order."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)
        taken = []
        for trial in study.get_trials(deepcopy=False, states=states):
            taken.append(trial.params or trial.system_attrs.get("fixed_params", {}))
        return [cell for cell in self.cells if cell not in taken]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Takes the cell of this trial's number, which no other process has, or the first that is left."""
        left = self.left(study)
        own = self.cells[(trial.number - _broken(study, trial)) % len(self.cells)]
        self._cell = own if own in left or not left else left[0]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is drawn together."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Nothing is drawn together."""
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The cell's value."""
        return self._cell[param_name]


def _broken(study: Study, trial: FrozenTrial) -> int:
    """How many earlier trials broke off."""
    return sum(other.number < trial.number for other in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))


class Repeatable(BaseSampler):
    """Another sampler, made anew for every trial with a seed of its own: a search taken up again goes on as an unbroken one."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int):
        self._make, self._seed = make, seed
        self._inner = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Trials that broke off do not count: they are done again."""
        self._inner = self._make((self._seed * 1_000_003 + trial.number - _broken(study, trial)) % 2**32)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The other's."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """The other's."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The other's."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """The other's."""
        self._inner.after_trial(study, trial, state, values)


def make_sampler(name: str, ranges: Sequence[Range], *, seed: int) -> BaseSampler:
    """`tpe` (tree of Parzen estimators), `gp` (Gaussian process), `grid` or `random`. Raises ConfigError."""
    if name == "grid":
        return Grid(ranges)
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: TPESampler(seed=seed),
        "gp": lambda seed: GPSampler(seed=seed),
        "random": lambda seed: RandomSampler(seed=seed),
    }
    if name not in makers:
        raise ConfigError(f"sampler is {name!r}, allowed are {', '.join(SAMPLERS)}")
    return Repeatable(makers[name], seed)


class Behind(BasePruner):
    """Source B's rule: a trial is cut when it is `factor` times worse than the best at the same epoch.

    One that is falling fast stays: if its error goes on as it did while the epochs about doubled, and would so come within the factor
    of the best by its end, it is not cut. Errors of 0 or less (likelihoods) are not compared.
    """

    def __init__(self, factor: float = 3.0):
        self.factor = factor

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to cut `trial` now."""
        seen = trial.intermediate_values
        if len(seen) < _FEWEST_MARKS:
            return False
        now = max(seen)
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        others = [other.intermediate_values for other in study.get_trials(deepcopy=False, states=states) if other.number != trial.number]
        there = [values[now] for values in others if now in values]
        if not there or min(there) <= 0 or seen[now] <= self.factor * min(there):
            return False
        before = max((number for number in seen if number <= now - _RATE_OVER), default=min(seen))
        rate = math.log(seen[now] / seen[before]) / max(1, now - before) if seen[before] > 0 else 0.0
        left = max(0, int(trial.user_attrs.get(LAST_MARK, now)) - now)
        reached = seen[now] * math.exp(min(0.0, rate) * left)
        best = min(value for values in others for value in values.values())
        return reached > self.factor * max(best, 0.0)


class Median(BasePruner):
    """Optuna's median rule, from a trial's third mark on: cut when its best so far is worse than the median of the others there."""

    def __init__(self) -> None:
        self._rule = MedianPruner(n_startup_trials=4, n_min_trials=2)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to cut `trial` now."""
        return len(trial.intermediate_values) >= _FEWEST_MARKS and self._rule.prune(study, trial)


class Either(BasePruner):
    """Cuts when one of several rules does."""

    def __init__(self, *rules: BasePruner):
        self.rules = rules

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to cut `trial` now."""
        return any(rule.prune(study, trial) for rule in self.rules)


def make_pruner(name: str, *, factor: float = 3.0) -> BasePruner:
    """`median`, `behind` (source B's), `both` or `none`. Raises ConfigError."""
    rules: dict[str, list[BasePruner]] = {"median": [Median()], "behind": [Behind(factor)], "both": [Median(), Behind(factor)], "none": []}
    if name not in rules:
        raise ConfigError(f"cut is {name!r}, allowed are {', '.join(CUTS)}")
    if not factor > 1:
        raise ConfigError(f"factor is {factor:g}; a trial is cut when it is so many times worse than the best, so it must be above 1")
    return Either(*rules[name])
