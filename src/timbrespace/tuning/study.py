"""The Optuna study of a search, in a file or a database; the same command finds it again. Needs the extra `tune`."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from timbrespace.contracts import ConfigError, TimbrespaceError

IDENTITY = "search"  # user attribute of a study
_HEARTBEAT, _GRACE = 15, 60  # seconds between heartbeats of a running trial; without one for so long, it is repeated
_TRIES = 5
LOST = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)  # errors of a storage whose connection is lost
_JOURNAL = "journal:"


def open_study(url: str, identity: dict[str, Any], *, name: str | None, sampler: BaseSampler, pruner: BasePruner) -> Study:
    """The study of this search, created or found again.

    url: a database's, as SQLAlchemy writes it (sqlite:///…, postgresql://…, mysql://…), or journal:PATH, a file that many machines may
    share. name: of the study; by default it follows from `identity`, so that the same command finds it.

    Raises TimbrespaceError if the storage cannot be reached, ConfigError if the named study belongs to another search.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
    for attempt in range(_TRIES):
        try:
            study = optuna.create_study(
                storage=_storage(url),
                study_name=name or f"timbrespace-{digest}",
                sampler=sampler,
                pruner=pruner,
                direction="minimize",
                load_if_exists=True,
            )
            stored = study.user_attrs.get(IDENTITY)
            if stored is None:
                study.set_user_attr(IDENTITY, identity)
            elif stored != json.loads(json.dumps(identity)):
                same = json.loads(json.dumps(identity))
                different = ", ".join(key for key in {**same, **stored} if stored.get(key) != same.get(key))
                raise ConfigError(
                    f"the study {name!r} in {without_password(url)} belongs to another search ({different} differ); "
                    "give another --study or --out"
                )
            return study
        except ConfigError:
            raise
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, DuplicatedStudyError, ImportError, OSError, ValueError) as error:
            if attempt + 1 < _TRIES and _created_meanwhile(error):
                time.sleep(0.2 * (attempt + 1))
                continue
            raise TimbrespaceError(
                f"the storage {without_password(url)} cannot be reached: {_reason(error)}; give a URL such as sqlite:///search.db, "
                "postgresql://user:password@host/name or journal:search.journal"
            ) from error
    raise AssertionError("the loop returns or raises")


def other_studies(url: str, identity: dict[str, Any]) -> list[list[str]]:
    """For every other search in a storage, the keys that differ from those of `identity`."""
    try:
        summaries = optuna.get_all_study_summaries(storage=_storage(url), include_best_trial=False)
    except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError):
        return []
    stored = [summary.user_attrs.get(IDENTITY, {}) for summary in summaries]
    same = json.loads(json.dumps(identity))
    return [[key for key in {**same, **one} if one.get(key) != same.get(key)] for one in stored if one != same]


def _storage(url: str) -> BaseStorage:
    if url.startswith(_JOURNAL):
        return JournalStorage(JournalFileBackend(url.removeprefix(_JOURNAL)))
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the heartbeat
        return RDBStorage(
            url, engine_kwargs=options, heartbeat_interval=_HEARTBEAT, grace_period=_GRACE, heartbeat_stale_trial_callback=repeat_trial
        )


def repeat_trial(study: Study, trial: FrozenTrial) -> None:
    """Puts an interrupted trial first in the queue."""
    if trial.params:
        study.enqueue_trial(trial.params)


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Trials that have ended, also pruned and refused ones."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def without_password(url: str) -> str:
    """A storage's URL without the password."""
    if url.startswith(_JOURNAL):
        return url
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.SQLAlchemyError:
        return repr(url) if "@" not in url else "given"


def default_url(folder: Path) -> str:
    """The URL of the storage in the folder of the results."""
    return f"sqlite:///{(folder / 'study.db').as_posix()}"


def _created_meanwhile(error: Exception) -> bool:
    """Whether several processes that started at the same time created the same tables or rows."""
    return isinstance(error, (*LOST, DuplicatedStudyError)) and any(word in str(error) for word in ("exist", "UNIQUE", "uplicate"))


def _reason(error: Exception) -> str:
    inner = getattr(error, "orig", None) or error.__cause__ or error
    if isinstance(inner, ModuleNotFoundError):
        return f"the driver {inner.name!r} is not installed"
    return (str(inner).strip().splitlines() or [type(inner).__name__])[0][:200]
