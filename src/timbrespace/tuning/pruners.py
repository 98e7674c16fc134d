"""Which trials end early: Optuna's median rule, source B's threshold, and the rate of change. Needs the extra `tune`."""

from __future__ import annotations

import math
import statistics

from optuna.pruners import BasePruner, MedianPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from timbrespace.contracts import ConfigError

RULES = ("median", "trend", "threshold", "both", "none")
LAST_MARK = "last_mark"  # user attribute of a trial: the mark at which it will end
_MARK_SPACING = math.log(1.1)  # from one mark to the next the number of epochs grows by a tenth
_FIRST_EPOCH = 1e-3
_FEWEST_MARKS = 3
_SLOPE_MARKS = 8  # over which the slope is measured: the number of epochs about doubles


def mark(epoch: float) -> int:
    """The number under which an error at `epoch` is reported. Trials that check at different epochs are compared at the same marks."""
    return max(0, math.floor(math.log(max(epoch, _FIRST_EPOCH) / _FIRST_EPOCH) / _MARK_SPACING + 1e-9))


def epoch_of(number: int) -> float:
    """The epoch of a mark."""
    return _FIRST_EPOCH * math.exp(number * _MARK_SPACING)


def expected_error(trial: FrozenTrial) -> float:
    """The error of a trial at its end, if it goes on to fall as fast as it did while the epochs about doubled.

    That is a power law of the epochs, a straight line over the marks. A rising error is expected to stay as it is; so is one of 0 or less
    (a likelihood). Learning curves flatten, so that the true error is usually larger.
    """
    errors = trial.intermediate_values
    now = max(errors)
    before = max((number for number in errors if number <= now - _SLOPE_MARKS), default=min(errors))
    if errors[now] <= 0 or errors[before] <= 0:
        return errors[now]
    slope = math.log(errors[now] / errors[before]) / max(1, now - before)
    left = max(0, int(trial.user_attrs.get(LAST_MARK, now)) - now)
    return errors[now] * math.exp(min(0.0, slope) * left)


class ThresholdPruner(BasePruner):
    """Source B's rule: prunes a trial whose error is `factor` times the best error at the same epoch.

    A trial whose error falls fast is kept: its `expected_error` must come within the factor of the best error of all. Errors of 0 or less
    (likelihoods) are not compared.
    """

    def __init__(self, factor: float = 3.0):
        self.factor = factor

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to prune `trial` now."""
        errors = trial.intermediate_values
        if len(errors) < _FEWEST_MARKS:
            return False
        now = max(errors)
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        others = [other.intermediate_values for other in study.get_trials(deepcopy=False, states=states) if other.number != trial.number]
        same_mark = [other[now] for other in others if now in other]
        if not same_mark or min(same_mark) <= 0 or errors[now] <= self.factor * min(same_mark):
            return False
        best = min(value for other in others for value in other.values())
        return expected_error(trial) > self.factor * max(best, 0.0)


class LateMedianPruner(BasePruner):
    """Optuna's median rule from a trial's third mark on: prunes a trial whose best error is worse than the median of the others there."""

    def __init__(self) -> None:
        self._rule = MedianPruner(n_startup_trials=4, n_min_trials=2)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to prune `trial` now."""
        return len(trial.intermediate_values) >= _FEWEST_MARKS and self._rule.prune(study, trial)


class TrendPruner(BasePruner):
    """Prunes a trial that another rule would prune, unless its error falls so fast that it may still catch up.

    It may if its `expected_error` is not worse than the median of the least errors of complete trials. (Optuna's PatientPruner keeps every
    trial that still improves, however slowly: most errors fall until the end.)
    """

    def __init__(self, rule: BasePruner):
        self.rule = rule

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to prune `trial` now."""
        if not self.rule.prune(study, trial):
            return False
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        least = [min(other.intermediate_values.values()) for other in complete if other.intermediate_values]
        return bool(least) and expected_error(trial) > statistics.median(least)


class AnyPruner(BasePruner):
    """Prunes a trial if any of several rules does."""

    def __init__(self, *rules: BasePruner):
        self.rules = rules

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to prune `trial` now."""
        return any(rule.prune(study, trial) for rule in self.rules)


def make_pruner(name: str, *, factor: float = 3.0) -> BasePruner:
    """The pruner for `median`, `trend`, `threshold` (source B's rule), `both` or `none`. Raises ConfigError."""
    if name not in RULES:
        raise ConfigError(f"prune is {name!r}, allowed are {', '.join(RULES)}")
    if not factor > 1:
        raise ConfigError(f"factor is {factor:g}; a trial is pruned if it is this many times worse than the best, so it must be above 1")
    rules: list[BasePruner] = []
    if name in ("median", "both"):
        rules.append(LateMedianPruner())
    if name == "trend":
        rules.append(TrendPruner(LateMedianPruner()))
    if name in ("threshold", "both"):
        rules.append(ThresholdPruner(factor))
    return AnyPruner(*rules)
