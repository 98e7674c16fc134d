"""A search for settings with Optuna: trial after trial until the study holds enough. Needs the extra `tune`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FixedTrial, Trial, TrialState

from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.data.outer import TrainedOuter
from timbrespace.training.data.source import check_outer
from timbrespace.training.options import TrainOptions
from timbrespace.tuning import report
from timbrespace.tuning.folder import SearchFolder
from timbrespace.tuning.options import TuneOptions
from timbrespace.tuning.pruners import make_pruner
from timbrespace.tuning.result import TuneResult
from timbrespace.tuning.samplers import Grid, make_sampler
from timbrespace.tuning.space import check_space, search_ranges, settings_with
from timbrespace.tuning.study import LOST, default_url, ended_trials, open_study, other_studies, repeat_trial, without_password
from timbrespace.tuning.trial import TrialSettings, objective


class Search:
    """A search: `run` does trials and writes the results after each."""

    def __init__(
        self, source: Path | str | Corpus, out: Path, options: TuneOptions, training: TrainOptions, on_trial: Callable[[str], None]
    ):  # fmt: skip
        """Checks all options, opens or prepares the corpus, and opens the study."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        preset = training.chosen_preset
        if isinstance(preset, Config):
            raise ConfigError("preset is a Config; a search needs the name or the file of a preset")
        self.outer: TrainedOuter | None = training.trained_outer()
        training = replace(training, outer=self.outer)  # read once
        self.options, self.training, self.on_trial = options, training, on_trial
        self.ranges = search_ranges(preset, options.ranges, options.space)
        check_space(training, self.ranges)
        self.sampler = make_sampler(options.sampler, self.ranges, seed=training.seed)
        pruner = make_pruner(options.prune, factor=options.factor)
        self.url = options.storage or default_url(out)
        self.folder = SearchFolder(out)
        self.folder.check(force=training.force)
        try:
            corpus = self.folder.open_corpus(source, training)
            if self.outer is not None:
                check_outer(self.outer, corpus, training.config())
            identity = self._identity(corpus)
            self.folder.make(
                force=training.force, own_database=options.storage is None, differences=lambda: other_studies(self.url, identity)
            )  # fmt: skip
            self.study = open_study(self.url, identity, name=options.study, sampler=self.sampler, pruner=pruner)
        except BaseException:
            self.folder.discard()
            raise
        self.folder.add_to_note(study=self.study.study_name, storage=without_password(self.url), **identity)
        self.trial_settings = TrialSettings(corpus, out, self.folder.work, self.ranges, options, training, on_trial)
        self._running: int | None = None  # number of the trial that runs
        self._written: int | None = None  # number of the trial in best.yaml

    def run(self) -> TuneResult:
        """Does trials until the study holds enough, and returns the results."""
        try:
            while len(ended_trials(self.study)) < self.options.trials and not self._grid_is_done():
                self.study.optimize(self._objective, n_trials=1)
                self.write_results(plots=False)
            return self.write_results(plots=True)
        except LOST as error:
            raise TimbrespaceError(
                f"the connection to the storage {without_password(self.url)} was lost; run the same command again to continue"
            ) from error
        except BaseException:
            with suppress(*LOST):
                for trial in self.study.get_trials():
                    if trial.number == self._running and trial.state == TrialState.FAIL:
                        repeat_trial(self.study, trial)  # after Ctrl-C or a full disk: the next run starts with it
                self.write_results(plots=True)
            raise
        finally:
            shutil.rmtree(self.folder.work, ignore_errors=True)

    def write_results(self, *, plots: bool) -> TuneResult:
        """Writes the table, the best preset and, with `plots`, the pictures; returns the results."""
        out, trials = self.folder.path, self.study.trials
        units = self.trial_settings.units or [trial.user_attrs["unit"] for trial in trials if "unit" in trial.user_attrs]
        unit = units[0] if units else "?"
        table = report.rows(self.study, self.ranges)
        report.write_table(out / "trials.csv", table)
        files, best = [out / "trials.csv"], None
        with suppress(ValueError):  # no trial is complete
            trial = self.study.best_trial
            best = out / "best.yaml"
            if plots or self._written != trial.number:
                report.write_best(best, settings_with(self.training, self._values(trial.params)), trial, unit=unit)
                self._written = trial.number
            files.append(best)
        if plots:
            files += report.draw(self.study, self.ranges, out, unit=unit)
        return TuneResult(table, report.lines(table, self.ranges, unit=unit), best, files, self.trial_settings.corpus)

    def _objective(self, trial: Trial) -> float:
        self._running = trial.number
        return objective(trial, self.trial_settings)

    def _grid_is_done(self) -> bool:
        """Whether every cell of a grid has a trial."""
        if not isinstance(self.sampler, Grid) or self.sampler.left(self.study) or self.study.get_trials(states=(TrialState.WAITING,)):
            return False
        self.on_trial(f"all {len(self.sampler.cells)} cells of the grid have been tried")
        return True

    def _identity(self, corpus: Corpus) -> dict[str, Any]:
        """What makes two searches the same study."""
        outer = {} if self.outer is None else {"outer": self.outer.checksum}
        return outer | {
            "corpus": corpus.fingerprint,
            "settings": settings_with(self.training, {}).model_dump(mode="json", exclude={"tune"}),
            "ranges": [part.describe() for part in self.ranges],
            "limit": self.options.limit,
            "overfit": self.options.overfit,
            "objective": "learned error",  # earlier studies also counted the state before the first step
        }

    def _values(self, params: dict[str, Any]) -> dict[str, Any]:
        """The settings of a stored trial, with labels turned back into choices."""
        fixed: Any = FixedTrial(params)
        return {part.key: part.suggest(fixed) for part in self.ranges}
