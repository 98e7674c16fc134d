"""Instruments of notes, held as long as a key: each note is decoded at its pitch, and its steady part goes on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import ClassVar

from timbrespace.live.held.course import Course, Held, frames_of
from timbrespace.live.sound.source import CoreSource
from timbrespace.live.state import SoundKey
from timbrespace.native.engine import Player

_KEPT = 96  # notes whose course is kept


def why_not(player: Player) -> str | None:
    """Returns why the sounds of an instrument cannot be held as notes; None: they can."""
    if not player.core.info.notes:
        return "has sounds without a pitch, which play to their end"
    if not player.core.note_bins():
        return "has notes that are not made of tones and noise: train it again, with --preset oneshot"
    return None


class HeldNotes(CoreSource):
    """Sounds of an instrument of notes that are held, see `SoundSource`. Any thread may call it."""

    held = True
    idle: ClassVar[dict[str, str]] = {
        "decay": "a held note lasts as long as its key",
        "length": "a held note lasts as long as its key",
        "loudness": "all notes are held at the same loudness",
    }

    def __init__(self, player: Player, *, title: str, seed: int = 0, humanise: float = 0.0):
        """player: of an instrument that `why_not` has nothing against. The rest as of `CoreSource`."""
        super().__init__(player, title=title, seed=seed, humanise=humanise)
        self._courses: OrderedDict[SoundKey, Course] = OrderedDict()
        self._turn = threading.Lock()
        self.bins = player.core.note_bins()
        view = player.file.header["settings"]["representation"]
        self._frames = frames_of(view.get("hop", 256) / player.file.sample_rate, player.core.info.frames)

    def course(self, key: SoundKey, held: Held | None = None) -> Course:
        """Returns the course of a note. held: when it is steady; None: found, and the course is kept for the next time."""
        if held is not None:
            return self._course(key, held)
        with self._turn:
            if key in self._courses:
                self._courses.move_to_end(key)
                return self._courses[key]
        found = self._course(key, None)
        with self._turn:
            self._courses[key] = found
            while len(self._courses) > _KEPT:
                self._courses.popitem(last=False)
        return found

    def knows(self, key: SoundKey) -> bool:
        """Returns whether the course of a note is kept."""
        with self._turn:
            return key in self._courses

    def _course(self, key: SoundKey, held: Held | None) -> Course:
        assert key.pitch is not None
        category = self.pads[key.pad].category
        number = self._core.categories.index(category) if category in self._core.categories else -1
        z = self.latent(key._replace(pitch=min(max(key.pitch, self.lowest), self.highest)))
        return Course(self._core.note_parts(z, self._frames, category=number), held)
