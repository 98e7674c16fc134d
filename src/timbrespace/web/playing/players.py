"""The pages that play: what each asked for, and the notes that it holds, which end when it goes away."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.actions import Action
from timbrespace.live.conductor import Conductor
from timbrespace.live.osc.carrying import Carrier

GONE = 3.0  # s without a request after which the notes of a page end
_MOST = 32  # pages
_ERRORS = 8  # sentences that wait for a page


@dataclass
class _Page:
    seen: float
    down: dict[float, None] = field(default_factory=dict)  # notes, in order
    sustained: bool = False
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=_ERRORS))


class Players:
    """Takes messages of pages on any thread. clock: s."""

    def __init__(self, conductor: Conductor, *, clock: Callable[[], float] = time.monotonic):
        self._conductor, self._carrier, self._clock = conductor, Carrier(conductor), clock
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, messages: Sequence[Sequence[Any]]) -> list[str]:
        """Carries out messages of a page, each an address and its values. Returns why earlier ones, or these, could not be carried out."""
        with self._lock:
            page = self._pages.setdefault(name, _Page(0.0))
            page.seen = self._clock()
            self._pages.move_to_end(name)
            for address, *values in messages:
                try:
                    for action in self._carrier.put(address, values, page.errors.append):
                        _note(page, action)
                except TimbrespaceError as error:
                    self._conductor.reports.add("refused message of the page", f"the page: {error}")
                    page.errors.append(str(error))
            found = list(page.errors)
            page.errors.clear()
            while len(self._pages) > _MOST:
                self._end(self._pages.popitem(last=False)[1])
            return found

    def look(self) -> None:
        """Ends the notes of pages that are gone; to be called from time to time."""
        now = self._clock()
        with self._lock:
            for name in [name for name, page in self._pages.items() if now - page.seen > GONE]:
                self._end(self._pages.pop(name))

    def close(self) -> None:
        """Ends the notes of all pages."""
        with self._lock:
            for page in self._pages.values():
                self._end(page)
            self._pages.clear()

    def _end(self, page: _Page) -> None:
        actions = [Action("note_off", (note, 0)) for note in page.down]
        self._conductor.put(actions + ([Action("sustain", (False,))] if page.sustained else []))


def _note(page: _Page, action: Action) -> None:
    """Notes which keys of a page are down."""
    if action.name == "note_on" and action.id is None:
        page.down[action.values[0]] = None
    elif action.name == "note_off":
        page.down.pop(action.values[0], None)
    elif action.name in ("all_notes_off", "all_sound_off"):
        page.down.clear()
    elif action.name == "sustain":
        page.sustained = bool(action.values[0])
