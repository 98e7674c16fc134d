"""How a search chooses the next settings: Optuna's samplers, and a grid that several processes share. Needs the extra `tune`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from timbrespace.contracts import ConfigError
from timbrespace.tuning.ranges import Range, cells

SAMPLERS = ("tpe", "gp", "grid", "random")


class Grid(BaseSampler):
    """Tries every cell of a grid once, in order; several processes share the cells."""

    def __init__(self, ranges: Sequence[Range]):
        self.cells = cells(ranges)
        self._cell: dict[str, Any] = {}

    def left(self, study: Study) -> list[dict[str, Any]]:
        """The cells without a trial, in order."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)
        tried = [trial.params or trial.system_attrs.get("fixed_params", {}) for trial in study.get_trials(deepcopy=False, states=states)]
        return [cell for cell in self.cells if cell not in tried]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Chooses the cell with this trial's number, which no other process chooses, or else the first that is left."""
        left = self.left(study)
        numbered = self.cells[(trial.number - _failed_before(study, trial)) % len(self.cells)]
        self._cell = numbered if numbered in left or not left else left[0]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Empty: no settings are sampled together."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Empty: no settings are sampled together."""
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The value of a setting in the chosen cell."""
        return self._cell[param_name]


def _failed_before(study: Study, trial: FrozenTrial) -> int:
    """The number of earlier trials that were interrupted; they are repeated."""
    return sum(other.number < trial.number for other in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))


class SeededSampler(BaseSampler):
    """Another sampler, created for every trial with a seed of that trial: a resumed search continues like an unbroken one."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int):
        self._make, self._seed = make, seed
        self._inner = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Creates the sampler of this trial. Interrupted trials are repeated, so they do not count."""
        self._inner = self._make((self._seed * 1_000_003 + trial.number - _failed_before(study, trial)) % 2**32)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The result of the other sampler."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """The result of the other sampler."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The result of the other sampler."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Passes the result on to the other sampler."""
        self._inner.after_trial(study, trial, state, values)


def make_sampler(name: str, ranges: Sequence[Range], *, seed: int) -> BaseSampler:
    """The sampler for `tpe` (tree of Parzen estimators), `gp` (Gaussian process), `grid` or `random`. Raises ConfigError."""
    if name == "grid":
        return Grid(ranges)
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: TPESampler(seed=seed),
        "gp": lambda seed: GPSampler(seed=seed),
        "random": lambda seed: RandomSampler(seed=seed),
    }
    if name not in makers:
        raise ConfigError(f"sampler is {name!r}, allowed are {', '.join(SAMPLERS)}")
    return SeededSampler(makers[name], seed)
