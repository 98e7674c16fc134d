"""What the terminal shows while an engine plays; only messages where there is no terminal."""

from __future__ import annotations

import math
import sys
import textwrap
from collections import OrderedDict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from timbrespace.live.actions import Action
from timbrespace.live.device.audio import DeviceState
from timbrespace.live.device.events import described
from timbrespace.live.state import EngineState
from timbrespace.wording import counted

_WIDTH, _NARROWEST, _BESIDE, _FLOOR = 30, 6, 19, -48.0  # characters of the meter, at most and at least, and beside it; its lowest dB
_LINES, _EVENTS = 12, 4  # messages, and events of each kind, that are kept
_MOST_SAID, _OFTEN = 1000, "no pad at note "  # messages of an engine that are printed, each once; of those of any note only the first


class View:
    """A few lines that are drawn again, or messages one after the other. title: of what plays. Use it as a context manager."""

    def __init__(self, title: str, *, quiet: bool = False, shown: Callable[[str], str] = str):
        """quiet: only messages. shown: makes a text fit for a terminal."""
        self._title, self._shown = title, shown
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._live: Any = None
        self._drawn = not quiet and sys.stdout.isatty()
        self._said: dict[str, None] = {}
        self._hits: deque[str] = deque(maxlen=_EVENTS)
        self._moved: OrderedDict[object, str] = OrderedDict()

    def __enter__(self) -> View:
        if self._drawn:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(highlight=False), refresh_per_second=12, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None  # later messages are printed

    def say(self, line: str) -> None:
        """Shows a message."""
        line = self._shown(line)
        if self._live is None:
            print(line, flush=True)
        else:
            self._lines.append(line)

    def happened(self, action: Action) -> None:
        """Takes an action that was carried out, which is then shown among the last ones."""
        text = described(action)
        if self._live is None or not text:
            return
        if action.key is None:
            self._hits.append(text)
            return
        self._moved[action.key] = text
        self._moved.move_to_end(action.key)
        while len(self._moved) > _EVENTS:
            self._moved.popitem(last=False)

    def update(self, state: EngineState, device: DeviceState | None, *, more: str = "") -> None:
        """Draws the state of now. more: at the end of the line of figures."""
        if self._live is None:
            for line in state.last:
                kind = line[: len(_OFTEN)] if line.startswith(_OFTEN) else line
                if kind not in self._said and len(self._said) < _MOST_SAID:
                    self._said[kind] = None
                    self.say(line)
            return
        from rich.text import Text

        size = self._live.console.size
        self._live.update(Text("\n".join(self._rows(state, device, more, size.width, size.height)), no_wrap=True), refresh=True)

    def _rows(self, state: EngineState, device: DeviceState | None, more: str, width: int, height: int) -> list[str]:
        """All lines, no longer than the terminal is wide and no more than it has: of the messages the newest."""
        room = max(width - 1, 20)
        top = [self._title, meter(device.peak if device is not None else state.level, min(_WIDTH, max(_NARROWEST, room - _BESIDE)))]
        top += textwrap.wrap(figures(state, device, more), room)
        top += [f"played {', '.join(self._hits)}"] if self._hits else []
        top += [f"moved {', '.join(self._moved.values())}"] if self._moved else []
        said = [self._shown(line) for line in [*self._lines, *state.last[-2:]]]
        rows = [row for line in said for row in textwrap.wrap(line, room, initial_indent="  ", subsequent_indent="    ")]
        left = max(height - 1 - len(top), 0)
        return [_cropped(line, room) for line in [*top, *rows[len(rows) - min(left, _LINES, len(rows)) :]]][: max(height - 1, 1)]


def _cropped(line: str, room: int) -> str:
    return line if len(line) <= room else f"{line[: room - 1]}…"


def meter(peak: float, width: int = _WIDTH) -> str:
    """Returns a bar of a peak, full scale 1, with its level in dBFS. width: of the bar, in characters."""
    level = 20 * math.log10(peak) if peak > 10 ** (_FLOOR / 20) else _FLOOR
    full = round(width * (1 - min(level, 0.0) / _FLOOR))
    return f"level [{'#' * full}{'-' * (width - full)}] {f'{level:.0f} dBFS' if level > _FLOOR else 'silent'}"


def figures(state: EngineState, device: DeviceState | None, more: str = "") -> str:
    """Returns voices, load and counts in a line."""
    load = device.load if device is not None else state.load
    parts = [counted(state.voices, "voice"), f"load {100 * load:.1f} %", f"program {state.program}"]
    parts += [f"{state.late} late"] if state.late else []
    parts += [f"{state.dropped} dropped"] if state.dropped else []
    parts += [f"device ran dry {counted(device.dry, 'time')}"] if device is not None and device.dry else []
    return ", ".join([*parts, *([more] if more else [])])
