"""`tune`: searches for the settings that learn a corpus best, by many short trainings, on one machine or several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training.options import TrainOptions
from timbrespace.tuning.options import TuneOptions, with_keywords
from timbrespace.tuning.result import TuneResult


def tune(
    source: Path | str | Corpus,
    out: Path | str,
    options: TuneOptions | None = None,
    training: TrainOptions | None = None,
    *,
    on_trial: Callable[[str], None] = lambda line: None,
    **keywords: Any,
) -> TuneResult:
    """Searches until the study holds `trials` trials, and writes table, plots and the best preset into the folder `out`.

    source: as for `train`; a folder is prepared once, into `out/corpus`. options: of the search; training: of every trial, as for
    `train`; keywords are fields of either and override them: `tune("snares", "search", preset="dense", trials=30, minutes=2)`.
    on_trial: called with a line of text after every trial.

    The same call again continues a search, also from several processes and machines at once. With `epochs`, one process and one seed
    give one result.

    Raises ConfigError, TimbrespaceError (storage cannot be reached, disk full), OutputExistsError, CorpusError; TypeError for an unknown
    keyword.
    """
    options, training = with_keywords(options, training, keywords)
    try:
        import optuna  # noqa: F401 - the first package of the extra

        from timbrespace.tuning.search import Search
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("timbrespace"):
            raise
        raise ConfigError(f"`tune` needs the package {error.name!r}, which is not installed; pip install 'timbrespace[tune]'") from None
    return Search(source, Path(out), options, training, on_trial).run()
