"""Opens an instrument file with the native core, where there is one and it plays the instrument."""

from __future__ import annotations

import logging
from pathlib import Path

from timbrespace.contracts import TimbrespaceError
from timbrespace.native.calls import DAMAGED, CoreError
from timbrespace.native.engine import Player
from timbrespace.native.interface import Opened
from timbrespace.native.library import load_core
from timbrespace.synthesis.file.facts import InstrumentFile
from timbrespace.synthesis.file.layout import NOTES

_LOG = logging.getLogger(__name__)
_said: list[str] = []  # of `say_slower`, once in a process


class NoPlayer:
    """Why the native core does not play an instrument.

    reason: in words. missing: whether the core itself is missing, so that it plays no instrument at all.
    """

    def __init__(self, reason: str, *, missing: bool):
        self.reason, self.missing = reason, missing

    def say_slower(self) -> None:
        """Logs once that rendering takes longer without the core, and how to get it. Nothing where it does not play this instrument."""
        if self.missing and not _said:
            _said.append(self.reason)
            _LOG.warning(
                "the native core cannot be loaded (%s): PyTorch renders the sounds, which takes several times longer; "
                "install timbrespace again, or build the core: python3 scripts/run.py native",
                self.reason,
            )


def open_player(path: Path) -> Player | NoPlayer:
    """Returns the player of an instrument file, or why there is none: no core, a family that it does not play, a damaged file …"""
    try:
        core = load_core()
    except CoreError as error:
        return NoPlayer(str(error), missing=True)
    try:
        file = InstrumentFile.read(path)
        opened = Opened(core, file.data)
        if not opened.info.notes and any(name.startswith(NOTES) for name in file.arrays):
            raise CoreError(DAMAGED, "it holds traits of notes, but its model knows no pitch")
        return Player(file, opened)
    except TimbrespaceError as error:
        return NoPlayer(str(error), missing=False)
