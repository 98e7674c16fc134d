"""The page about a training, written by `train --page`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument
    from timbrespace.training.callbacks import Progress, TrainingCallbacks


class TrainingPage:
    """Keeps snapshots during a training and writes its page afterwards.

    path: of the page, .html or .htm. Raises ConfigError for another suffix, OutputExistsError if the file exists and `force` is False.
    """

    def __init__(self, path: Path, *, force: bool):
        from timbrespace.atomic import check_absent
        from timbrespace.contracts import ConfigError
        from timbrespace.report.snapshots import Snapshots

        if path.suffix not in (".html", ".htm"):
            raise ConfigError(f"the page is to be written to {path.name!r}; its name must end in .html")
        check_absent(path, force=force)
        self.path, self.force, self.snapshots = path, force, Snapshots()

    def callbacks(self, show: Callable[[Progress], None]) -> TrainingCallbacks:
        """Returns the callbacks of the training: those of this page, and `show` at every progress."""
        from timbrespace.training.callbacks import TrainingCallbacks

        def on_progress(progress: Progress) -> None:
            show(progress)
            self.snapshots.on_progress(progress)

        return TrainingCallbacks(on_start=self.snapshots.on_start, on_progress=on_progress, on_finish=self.write)

    def write(self, instrument: Instrument, corpus: Corpus) -> None:
        """Writes the page of an instrument that was trained on `corpus`."""
        from timbrespace.report.diagnostics import write_diagnostics

        write_diagnostics(instrument, corpus, self.path, snapshots=self.snapshots, force=self.force)
