"""The computer's keyboard as an instrument: keys of a terminal play pads or notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from timbrespace.live.actions import Action

DIGITS = "1234567890"
PADS = f"{DIGITS}qwertyuiop"
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

    def program(self, number: int) -> None:
        """Chooses an instrument."""


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

    def program(self, number: int) -> None:
        """Chooses an instrument."""
        self._carry_out([Action("program", (number,))])


class Kind(NamedTuple):
    """What keys do for an instrument. notes: whether they are a piano, else pads. pads: how many there are."""

    notes: bool
    pads: int


class Keys:
    """What keys do: pads, or a piano with sounds that digits choose. z and x move by octaves, Tab goes to the next instrument."""

    def __init__(self, engine: Playable, kinds: Sequence[Kind], *, program: Callable[[], int] = lambda: 0):
        """kinds: of the instruments. program: the number of the one that plays."""
        self._engine, self._kinds, self._program = engine, kinds, program
        self._lowest = 60
        self._ends: dict[int, float] = {}

    def help(self) -> str:
        """Which keys play, in a line."""
        notes, pads = self._kinds[self._program()]
        more = ", Tab plays the next instrument" if len(self._kinds) > 1 else ""
        if notes:
            sounds = f"{DIGITS[:pads]} choose the sound, " if pads > 1 else ""
            return f"keys {NOTES[0]} to {NOTES[-1]} play notes, z and x change the octave, {sounds}Ctrl-C ends{more}"
        return f"keys {PADS[:pads]} play the pads, Ctrl-C ends{more}"

    def press(self, key: str, now: float) -> bool:
        """Plays a key. now: in s. Returns whether it means something."""
        notes, pads = self._kinds[self._program()]
        if key == "\t" and len(self._kinds) > 1:
            self._engine.program((self._program() + 1) % len(self._kinds))
            return True
        number = (DIGITS if notes else PADS).find(key) if key else -1
        if 0 <= number < pads:
            self._engine.pad(number, VELOCITY)
            return True
        if not notes:
            return False
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
