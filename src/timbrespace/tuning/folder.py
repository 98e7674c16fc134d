"""The folder of a search: its corpus, its note `search.json`, its results, and the working folders of running trials."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from timbrespace.atomic import check_absent, disk_error, write_json
from timbrespace.contracts import OutputExistsError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.training.data.source import check_labels, check_same_labels, check_trainable, origin_of
from timbrespace.training.options import TrainOptions

RESULTS = ("trials.csv", "best.yaml", "history.png", "curves.png", "slices.png", "importance.png", "search.json")
_STALE_SECONDS = 6 * 3600.0  # age at which a working folder is taken for one of a killed search
_WORK = ".work-"


class SearchFolder:
    """The folder `path` that a search writes to; `work` is the working folder of this process."""

    def __init__(self, path: Path):
        self.path, self.work = path, path / f"{_WORK}{secrets.token_hex(4)}"
        self._missing = [folder for folder in (path, *path.absolute().parents) if not folder.exists()]

    def check(self, *, force: bool) -> None:
        """Raises OutputExistsError if the folder is a file, or holds files that no search wrote."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputExistsError(f"{self.path} is a file; give a folder to --out")
        if not (self.path / "search.json").exists():
            for name in RESULTS:
                check_absent(self.path / name, force=force)

    def open_corpus(self, source: Path | str | Corpus, options: TrainOptions) -> Corpus:
        """The corpus of all trials: `source`, or the one prepared from it in this folder. Raises OutputExistsError, CorpusError."""
        check_labels(source, options)
        origin, force = origin_of(source, options.channels), options.force
        if isinstance(source, Corpus) or origin is None:
            return check_trainable(source if isinstance(source, Corpus) else Corpus.open(source))
        corpus, known = self.path / "corpus", self.note().get("source")
        if is_corpus(corpus) and known not in (None, origin) and not force:
            raise OutputExistsError(f"{self.path} holds a search on {known}; give another --out, or --force to start again")
        if force or known is None or not is_corpus(corpus):
            prepare(
                source, corpus, channels=options.channels, seed=options.seed, rules=options.rules, pitch_names=options.pitch_names,
                force=True,
            )  # fmt: skip
            self.add_to_note(source=origin)
        opened = Corpus.open(corpus)
        check_same_labels(opened, options, self.path)
        return check_trainable(opened)

    def discard(self) -> None:
        """Removes the folder of a search that failed before it had a study, if this process created it. Raises nothing."""
        if self._missing and not (self.path / "study.db").exists():
            with suppress(OSError):
                shutil.rmtree(self.path / "corpus", ignore_errors=True)
                (self.path / "search.json").unlink(missing_ok=True)
                for folder in self._missing:
                    folder.rmdir()

    def make(self, *, force: bool, own_database: bool, differences: Callable[[], list[list[str]]]) -> None:
        """Makes the folder, and removes what killed searches left.

        own_database: whether the study is kept in this folder. differences: for each other search in that database, the names of the
        settings that differ. Raises OutputExistsError if there is one and `force` is False.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for work in self.path.glob(f"{_WORK}*"):
                newest = max((path.stat().st_mtime for path in work.rglob("*")), default=work.stat().st_mtime)
                if time.time() - newest > _STALE_SECONDS:
                    shutil.rmtree(work, ignore_errors=True)
            database = self.path / "study.db"
            if not own_database or not database.exists():
                return
            if force:
                database.unlink()
            elif different := differences():
                raise OutputExistsError(
                    f"{self.path} holds a search with other settings ({', '.join(different[0])} differ); "
                    "give another --out, or --force to start again"
                )
        except OSError as error:
            raise disk_error(error, self.path) from error

    def note(self) -> dict[str, Any]:
        """The content of `search.json`; empty if there is none."""
        try:
            content = json.loads((self.path / "search.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def add_to_note(self, **content: Any) -> None:
        """Writes `content` over the same keys of `search.json`."""
        write_json(self.path / "search.json", self.note() | content, force=True)
