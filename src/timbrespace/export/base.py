"""The steps of every export: check, write, reload, compare. Only a file that reads back as the kit it was written from is kept."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from timbrespace.atomic import check_absent, replacing
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.export.keymap import keymap
from timbrespace.export.kit import Kit, KitEntry, Zone
from timbrespace.synthesis.names import safe_name

_UNWRITABLE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")  # that no text or XML file can hold


class ReadZone(NamedTuple):
    """A zone as an exporter's reader finds it in a file: sample file relative to the kit's folder, keys and root as MIDI numbers."""

    file: str
    low: int
    high: int
    root: int


class Exporter(ABC):
    """A file format of samplers. A new one implements `text` and `read`, and gets a line in `registry.EXPORTERS`.

    title: name for people. suffix: of its files, with the dot. forbidden: characters that the format cannot hold in a file name.
    """

    title: ClassVar[str]
    suffix: ClassVar[str]
    forbidden: ClassVar[str] = ""

    @abstractmethod
    def text(self, title: str, zones: Sequence[Zone]) -> str:
        """Returns the content of one page: a file named `title` that plays `zones`."""

    @abstractmethod
    def read(self, path: Path) -> list[ReadZone]:
        """Returns the zones of a file that `export` wrote. Raises ValueError for a file that does not parse."""

    def targets(self, folder: Path | str, name: str, *, pages: int = 1) -> list[Path]:
        """Returns the paths that `export` writes: `<name>.<suffix>`, further pages as `<name> 2.<suffix>` and so on."""
        title = safe_name(name)
        titles = [title if page == 0 else f"{title} {page + 1}" for page in range(pages)]
        return [Path(folder) / f"{title}{self.suffix}" for title in titles]

    def export(self, kit: Kit, folder: Path | str, *, force: bool = False) -> list[Path]:
        """Writes a kit into the folder of its sounds, which are not changed. Returns the paths written, one a page, in order.

        All pages are checked before the first is written. Each page is written beside its final name, read back and compared with
        its zones; it gets its name only when they agree.
        Raises ConfigError (no sounds; a file missing, outside the folder, or with a name that the format cannot hold),
        OutputExistsError, TimbrespaceError.
        """
        folder = Path(folder)
        for entry in kit.entries:
            self._check(folder, entry)
        pages = keymap(kit.entries)
        paths = self.targets(folder, kit.name, pages=len(pages))
        for path in paths:
            check_absent(path, force=force)
        for path, zones in zip(paths, pages, strict=True):
            with replacing(path, force=force) as temporary:
                temporary.write_bytes(self.text(path.stem, zones).encode("utf-8"))
                self._compare(temporary, path, zones)
        return paths

    def unfit(self, name: str) -> str:
        """Returns the characters of a file name that the format cannot hold, "" if it can hold the name."""
        unfit = sorted(set(name) & set(self.forbidden))
        return " ".join(unfit) or ("control characters" if _UNWRITABLE.search(name) else "")

    def _check(self, folder: Path, entry: KitEntry) -> None:
        """Raises ConfigError for an entry whose file cannot be named in this format."""
        path = PurePosixPath(entry.file.as_posix())
        if path.is_absolute() or entry.file.is_absolute() or ".." in path.parts or "\\" in str(path):
            raise ConfigError(f"{entry.file} must be inside the kit's folder and given relative to it")
        if not (folder / entry.file).is_file():
            raise ConfigError(f"{entry.file} is not in {folder}; write the sounds first, then the kit")
        if found := self.unfit(str(path)):
            raise ConfigError(f"the file name {str(path)!r} holds {found}, which {self.title} cannot; rename the file")

    def _compare(self, written: Path, path: Path, zones: Sequence[Zone]) -> None:
        """Raises TimbrespaceError unless the written file reads back as `zones`."""
        expected = sorted(ReadZone(zone.entry.file.as_posix(), zone.low, zone.high, zone.root) for zone in zones)
        try:
            read = sorted(self.read(written))
        except ValueError as error:
            raise TimbrespaceError(
                f"{path.name} does not read back as {self.title} ({error}); it was not kept. Please report this"
            ) from None
        if read != expected:
            first = next(iter({*read} ^ {*expected}), None)
            raise TimbrespaceError(f"{path.name} does not read back as it was written (first difference: {first}); it was not kept")
