"""From instrument files to an application that can be run: opened, titled, guarded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.web.server.app import make_app
from timbrespace.web.server.guard import BYTES, JSON, Guard, Limits
from timbrespace.web.server.office import Office
from timbrespace.web.server.running import Listening
from timbrespace.web.server.served import Served
from timbrespace.web.server.uploads import MOST_BYTES

_MOST_INSTRUMENTS = 50
_LIMITS = Limits(sizes={JSON: 128 * 1024, BYTES: MOST_BYTES})


def make_office(paths: Sequence[Path], *, folder: Path | None) -> Office:
    """Opens instruments and makes the folder for new sounds. Raises TimbrespaceError where one is damaged, or the folder is none."""
    if len(paths) > _MOST_INSTRUMENTS:
        raise ConfigError(f"{len(paths)} instruments are given; at most {_MOST_INSTRUMENTS} are served at once")
    opened = [Instrument.load(path) for path in paths]
    parts = enumerate(zip(opened, _titles(paths), paths, strict=True))
    served = [Served(one, title=title, number=number, file=path) for number, (one, title, path) in parts]
    return Office(served, folder=None if folder is None else _made(folder))


def wrapped(office: Office, listening: Listening, *, token: str | None) -> Guard:
    """Returns the application behind its guard."""
    return Guard(make_app(office), hosts=listening.names, token=token, limits=_LIMITS)


def _titles(paths: Sequence[Path]) -> list[str]:
    """Names of instruments by their files; those that several have, with a number."""
    titles: list[str] = []
    for path in paths:
        stem, title, number = path.stem or "instrument", path.stem or "instrument", 2
        while title in titles:
            title, number = f"{stem} {number}", number + 1
        titles.append(title)
    return titles


def _made(folder: Path) -> Path:
    """The folder, which is made where it is missing. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(f"--folder {folder} is a file; give a folder") from None
    except OSError as error:
        raise ConfigError(f"--folder {folder} cannot be made: {error.strerror or error}; give another") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"--folder {folder} cannot be written to; give another, or change its permissions")
    return folder.resolve()
