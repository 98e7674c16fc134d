"""`tune`: looks for the settings that learn a corpus best, by many short trainings, on one machine or several."""

from __future__ import annotations

import json
import math
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.atomic import check_absent, disk_error, write_json
from timbrespace.contracts import ConfigError, OutputExistsError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX
from timbrespace.tuning.space import Range, check_space, gather, settings_with

if TYPE_CHECKING:
    from optuna.trial import Trial

RESULTS = ("trials.csv", "best.yaml", "history.png", "curves.png", "slices.png", "importance.png", "search.json")
_STALE_SECONDS = 6 * 3600.0
_WORK = ".work-"


@dataclass(frozen=True)
class Found:
    """What came out: a row a trial (the best first), lines for a person, the best preset's file or None, the files written."""

    table: list[dict[str, Any]]
    lines: list[str]
    best: Path | None
    files: list[Path]


def tune(
    source: Path | str | Corpus,
    out: Path | str,
    *,
    preset: str | Path = "oneshot",
    trials: int = 20,
    ranges: Sequence[str] = (),
    space: Path | str | None = None,
    sampler: str = "tpe",
    cut: str = "median",
    factor: float = 3.0,
    minutes: float | None = None,
    epochs: float | None = None,
    changes: tuple[str, ...] = (),
    limit: float | None = None,
    overfit: float = 0.0,
    storage: str | None = None,
    study: str | None = None,
    seed: int = 0,
    device: str = "auto",
    channels: int = 1,
    force: bool = False,
    told: Callable[[str], None] = lambda line: None,
) -> Found:
    """Searches until the study holds `trials` trials, and writes table, plots and the best preset into the folder `out`.

    source: as for `train`; a folder is prepared once, into `out/corpus`. ranges: texts as in `parse_range`, over those of `space`
    (YAML); the preset's `tune` section where neither is given. sampler: tpe, gp, grid, random. cut: which trials end early: median,
    behind (`factor` times worse than the best at the same epoch), both, none. minutes or epochs: of every trial. limit: trainable
    parameters, more are refused untrained. overfit: weight w of the penalty: objective = validation error · (1 + w · max(0,
    validation / train - 1)). storage: see `open_study`; by default a file in `out`. told: called with a line a trial.

    The same call again goes on where the last one stopped, also from several processes and machines at once. With `epochs`, one
    process and one seed give one result.

    Raises ConfigError, TimbrespaceError (storage out of reach, disk full), OutputExistsError, CorpusError.
    """
    try:
        import optuna
        from optuna.trial import TrialState

        from timbrespace.tuning import report as tune_report
        from timbrespace.tuning import samplers
        from timbrespace.tuning import study as tune_study
        from timbrespace.tuning import trial as tune_trial
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("timbrespace"):
            raise
        raise ConfigError(f"`tune` needs the package {error.name!r}, which is not installed; pip install 'timbrespace[tune]'") from None

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    out = Path(out)
    if trials < 1:
        raise ConfigError(f"trials is {trials}, at least 1 is needed")
    for name, value, lowest in (("limit", limit, 1), ("overfit", overfit, 0)):
        if value is not None and not (math.isfinite(value) and value >= lowest):
            raise ConfigError(f"{name} is {value:g}, it must be a finite number of at least {lowest}")
    if minutes is not None and epochs is not None:
        raise ConfigError(f"minutes ({minutes:g}) and epochs ({epochs:g}) are both given; give one of them")
    budget = {"minutes": minutes, "epochs": epochs}
    parts = gather(preset, ranges, space)
    check_space(preset, parts, changes=changes, **budget)
    chooser, cutter = samplers.make_sampler(sampler, parts, seed=seed), samplers.make_pruner(cut, factor=factor)
    url = storage or tune_study.default_url(out)
    _check_results(out, force=force)
    corpus = _prepared(source, out, channels=channels, seed=seed, force=force)
    identity = {
        "corpus": corpus.fingerprint,
        "settings": settings_with(preset, {}, changes=changes, **budget).model_dump(mode="json", exclude={"tune"}),
        "ranges": [part.describe() for part in parts],
        "limit": limit,
        "overfit": overfit,
    }
    _make_folder(out, force=force, url=None if storage else url, others=lambda: tune_study.other_studies(url, identity))
    found = tune_study.open_study(url, identity, name=study, sampler=chooser, pruner=cutter)
    _note(out, study=found.study_name, storage=tune_study.shown(url), **identity)
    work = out / f"{_WORK}{secrets.token_hex(4)}"
    search = tune_trial.Search(corpus, out, preset, parts, tuple(changes), budget, limit, overfit, seed, device, work, told)

    begun: list[int] = []  # the trial that runs, its number
    written: list[int] = []  # the best one, its number

    def results(*, plots: bool) -> Found:
        unit = search.units[0] if search.units else next((t.user_attrs["unit"] for t in found.trials if "unit" in t.user_attrs), "?")
        table = tune_report.rows(found, parts)
        tune_report.write_table(out / "trials.csv", table)
        files, best = [out / "trials.csv"], None
        with suppress(ValueError):  # no trial is through
            trial = found.best_trial
            best = out / "best.yaml"
            if plots or written != [trial.number]:
                chosen = settings_with(preset, _chosen(parts, trial.params), changes=changes, **budget)
                tune_report.write_best(best, chosen, trial, unit=unit)
                written[:] = [trial.number]
            files.append(best)
        if plots:
            files += tune_report.draw(found, parts, out, unit=unit)
        return Found(table, tune_report.lines(table, parts, unit=unit), best, files)

    def objective(trial: Trial) -> float:
        begun.append(trial.number)
        return tune_trial.objective(trial, search)

    try:
        while len(tune_study.finished(found)) < trials:
            waiting = found.get_trials(states=(TrialState.WAITING,))
            if isinstance(chooser, samplers.Grid) and not chooser.left(found) and not waiting:
                told(f"all {len(chooser.cells)} cells of the grid are through")
                break
            begun.clear()
            found.optimize(objective, n_trials=1)
            results(plots=False)
        return results(plots=True)
    except tune_study.LOST as error:
        raise TimbrespaceError(f"the storage {tune_study.shown(url)} was lost; run the same command again to go on") from error
    except BaseException:
        with suppress(*tune_study.LOST):
            for trial in (trial for trial in found.get_trials() if trial.number in begun and trial.state == TrialState.FAIL):
                tune_study.again(found, trial)  # what Ctrl-C or a full disk ended comes first next time
            results(plots=True)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _chosen(parts: Sequence[Range], params: dict[str, Any]) -> dict[str, Any]:
    """The settings of a stored trial: labels become choices again."""
    from optuna.trial import FixedTrial

    fixed: Any = FixedTrial(params)
    return {part.key: part.suggest(fixed) for part in parts}


def _prepared(source: Path | str | Corpus, out: Path, *, channels: int, seed: int, force: bool) -> Corpus:
    """The corpus of all trials."""
    if isinstance(source, Corpus):
        return source
    if is_corpus(source):
        return Corpus.open(source)
    place = out / "corpus"
    origin = f"{source if str(source).startswith(SYNTHETIC_PREFIX) else Path(source).resolve()}, {channels} channel(s)"
    known = _noted(out).get("source")
    if is_corpus(place) and known not in (None, origin) and not force:
        raise OutputExistsError(f"{out} holds a search on {known}; give another --out, or --force to begin anew")
    if force or known is None or not is_corpus(place):
        prepare(source, place, channels=channels, seed=seed, force=True)
        _note(out, source=origin)
    return Corpus.open(place)


def _noted(out: Path) -> dict[str, Any]:
    """What `search.json` says, nothing if it is not there."""
    try:
        content = json.loads((out / "search.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note(out: Path, **what: Any) -> None:
    write_json(out / "search.json", _noted(out) | what, force=True)


def _check_results(out: Path, *, force: bool) -> None:
    """Refuses a folder whose files are not a search's."""
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"{out} is a file; give a folder to --out")
    if not (out / "search.json").exists():
        for name in RESULTS:
            check_absent(out / name, force=force)


def _make_folder(out: Path, *, force: bool, url: str | None, others: Callable[[], list[list[str]]]) -> None:
    """Makes it, or clears what killed searches left; a search of something else there is kept unless `force`. url: of its own file."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{_WORK}*"):
            if time.time() - max((p.stat().st_mtime for p in left.rglob("*")), default=left.stat().st_mtime) > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        database = out / "study.db"
        if url is None or not database.exists():
            return
        if force:
            database.unlink()
        elif different := others():
            raise OutputExistsError(
                f"{out} holds a search with other settings ({', '.join(different[0])} differ); give another --out, or --force to begin anew"
            )
    except OSError as error:
        raise disk_error(error, out) from error
