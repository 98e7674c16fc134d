"""Looks after an input port: one that vanishes, such as of a keyboard that was pulled out, is opened again when it is back."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from timbrespace.live.midi.ports import MidiIn, load_rtmidi, open_client

_EVERY = 1.0  # s
_NUMBERS = re.compile(r" [0-9]+:[0-9]+$")  # at the end of ALSA's names; a device that comes back has others


def place_of(name: str, names: Sequence[str]) -> int | None:
    """Returns the index of a port among the names of those that are there, None where it is not."""
    if name in names:
        return names.index(name)
    plain = [_NUMBERS.sub("", one) for one in names]
    wanted = _NUMBERS.sub("", name)
    return plain.index(wanted) if wanted in plain else None


class Watch:
    """Watches a port on a thread of its own. Use it as a context manager."""

    def __init__(
        self, port: MidiIn, *, say: Callable[[str], None], gone: Callable[[], None], names: Callable[[], Sequence[str]] | None = None
    ):
        """say: shows a line. gone: called when the port vanished: its keys will not be let go. names: of the ports that are there."""
        self._port, self._say, self._gone, self._closing = port, say, gone, threading.Event()
        self._names, self._there = names, True
        self._thread: threading.Thread | None = None

    def look(self, names: Sequence[str]) -> None:
        """Takes the names of the ports that are there now."""
        place = place_of(self._port.name, names)
        if place is None and self._there:
            self._there = False
            self._say(f"MIDI from {self._port.name} is gone; it is opened again when it is back")
            self._gone()
        elif place is not None and not self._there:
            self._port.open_again(place)
            self._there = True
            self._say(f"MIDI from {self._port.name} is back")

    def __enter__(self) -> Watch:
        if self._port.interface is not None:
            self._thread = threading.Thread(target=self._watch, name="timbrespace MIDI ports", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        listing: Any = None
        while not self._closing.wait(_EVERY):
            try:
                if self._names is None:
                    listing = listing or open_client(load_rtmidi(), self._port.interface or "")
                    self.look(list(listing.ports))
                else:
                    self.look(self._names())
            except Exception:  # the next look may do better
                continue
