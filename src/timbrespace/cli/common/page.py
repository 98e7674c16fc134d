"""The page that `train --page` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.synthesis.instrument import Instrument
    from timbrespace.training.train import Report


class Page:
    """Looks on while an instrument learns, and writes the page of its training in the end."""

    def __init__(self, path: Path, *, force: bool):
        """Raises ConfigError for a name that is no page's, OutputExistsError when it is there and `force` is False."""
        from timbrespace.atomic import check_absent
        from timbrespace.contracts import ConfigError
        from timbrespace.report.snapshots import Snapshots

        if path.suffix not in (".html", ".htm"):
            raise ConfigError(f"the page is to be written to {path.name!r}; its name must end in .html")
        check_absent(path, force=force)
        self.path, self.force, self.snapshots = path, force, Snapshots()

    def watchers(self, watch: Callable[[Report], None]) -> dict[str, Any]:
        """What `train` is to call: `watch` and this."""

        def both(report: Report) -> None:
            watch(report)
            self.snapshots.watch(report)

        return {"watch": both, "ready": self.snapshots.ready, "finished": self.write}

    def write(self, instrument: Instrument, corpus: Corpus) -> None:
        """Writes the page."""
        from timbrespace.report.diagnostics import write_diagnostics

        write_diagnostics(instrument, corpus, self.path, snapshots=self.snapshots, force=self.force)
