"""The computer's keyboard as an instrument: keys of a terminal play pads or notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol

from timbrespace.live.actions import Action

PADS = "1234567890qwertyuiop"
NOTES = "awsedftgyhujkolp"  # as on a piano, from C
_OCTAVE, _LOWEST, _HIGHEST = 12, 0, 108
LENGTH = 0.35  # s of a note: a terminal does not say when a key goes up
VELOCITY = 100


class Playable(Protocol):
    """What the keyboard plays."""

    def note_on(self, note: float, velocity: float) -> None:
        """Plays a note."""

    def note_off(self, note: float) -> None:
        """Lets it go."""

    def pad(self, number: int, velocity: float) -> None:
        """Plays a pad."""


class Typed:
    """Carries out what keys play as a conductor does, so that its listeners learn of it. carry_out: of the conductor."""

    def __init__(self, carry_out: Callable[[Iterable[Action]], object]):
        self._carry_out = carry_out

    def note_on(self, note: float, velocity: float) -> None:
        """Strikes a note."""
        self._carry_out([Action("note_on", (note, velocity))])

    def note_off(self, note: float) -> None:
        """Lets it go."""
        self._carry_out([Action("note_off", (note,))])

    def pad(self, number: int, velocity: float) -> None:
        """Plays a pad."""
        self._carry_out([Action("pad", (number, velocity))])


class Keys:
    """What keys do. notes: whether they are a piano, else pads. pads: how many there are. z and x move by octaves."""

    def __init__(self, engine: Playable, *, notes: bool, pads: int):
        self._engine, self._notes, self._pads = engine, notes, pads
        self._lowest = 60
        self._ends: dict[int, float] = {}

    def help(self) -> str:
        """Which keys play, in a line."""
        if self._notes:
            return f"keys {NOTES[0]} to {NOTES[-1]} play notes, z and x change the octave, Ctrl-C ends"
        return f"keys {PADS[: self._pads]} play the pads, Ctrl-C ends"

    def press(self, key: str, now: float) -> bool:
        """Plays a key. now: in s. Returns whether it means something."""
        if not self._notes:
            number = PADS.find(key) if key else -1
            if not 0 <= number < self._pads:
                return False
            self._engine.pad(number, VELOCITY)
            return True
        if key in ("z", "x"):
            self._lowest = min(_HIGHEST, max(_LOWEST, self._lowest + (_OCTAVE if key == "x" else -_OCTAVE)))
            return True
        if not key or key not in NOTES:
            return False
        note = self._lowest + NOTES.index(key)
        self._engine.note_on(note, VELOCITY)
        self._ends[note] = now + LENGTH
        return True

    def advance(self, now: float) -> None:
        """Ends notes whose time is over."""
        for note in [note for note, end in self._ends.items() if end <= now]:
            del self._ends[note]
            self._engine.note_off(note)


class Terminal:
    """Reads single keys of a terminal without waiting; nothing where there is none. Use it as a context manager."""

    def __init__(self) -> None:
        self._restore: Callable[[], Any] | None = None

    def __enter__(self) -> Terminal:
        if sys.stdin is None or not sys.stdin.isatty():
            return self
        try:
            import termios
            import tty

            before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            self._restore = lambda: termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        except ImportError:  # Windows
            self._restore = lambda: None
        except OSError:
            pass
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._restore is not None:
            self._restore()

    @property
    def there(self) -> bool:
        """Whether keys can be read."""
        return self._restore is not None

    def pressed(self) -> str:
        """Returns the keys that were pressed since the last call."""
        if self._restore is None:
            return ""
        if sys.platform == "win32":
            import msvcrt

            found = ""
            while msvcrt.kbhit():
                found += msvcrt.getwch()
            return found
        import os
        import select

        if not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        return os.read(sys.stdin.fileno(), 64).decode("utf-8", "ignore")
