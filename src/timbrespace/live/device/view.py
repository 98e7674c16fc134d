"""What the terminal shows while an engine plays; only messages where there is no terminal."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from timbrespace.live.device.audio import DeviceState
from timbrespace.live.state import EngineState
from timbrespace.wording import counted

_WIDTH, _FLOOR = 30, -48.0  # characters and dB of the meter
_LINES = 6


class View:
    """A few lines that are drawn again, or messages one after the other. title: of what plays. Use it as a context manager."""

    def __init__(self, title: str, *, quiet: bool = False, shown: Callable[[str], str] = str):
        """quiet: only messages. shown: makes a text fit for a terminal."""
        self._title, self._shown = title, shown
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._live: Any = None
        self._drawn = not quiet and sys.stdout.isatty()
        self._said: tuple[str, ...] = ()

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
            self._live = None  # what is said afterwards is printed

    def say(self, line: str) -> None:
        """Shows a message."""
        line = self._shown(line)
        if self._live is None:
            print(line, flush=True)
        else:
            self._lines.append(line)

    def update(self, state: EngineState, device: DeviceState | None, *, more: str = "") -> None:
        """Draws the state of now. more: at the end of the line of figures."""
        for line in state.last:
            if line not in self._said and self._live is None:
                self.say(line)
        self._said = state.last
        if self._live is None:
            return
        from rich.text import Text

        lines = [self._title, meter(device.peak if device is not None else state.level), figures(state, device, more)]
        lines += [f"  {self._shown(line)}" for line in [*self._lines, *state.last[-2:]][-_LINES:]]
        self._live.update(Text("\n".join(lines)), refresh=True)


def meter(peak: float) -> str:
    """Returns a bar of a peak, full scale 1, with its level in dBFS."""
    level = 20 * math.log10(peak) if peak > 10 ** (_FLOOR / 20) else _FLOOR
    full = round(_WIDTH * (1 - min(level, 0.0) / _FLOOR))
    return f"level [{'#' * full}{'-' * (_WIDTH - full)}] {f'{level:.0f} dBFS' if level > _FLOOR else 'silent'}"


def figures(state: EngineState, device: DeviceState | None, more: str = "") -> str:
    """Returns voices, load and counts in a line."""
    load = device.load if device is not None else state.load
    parts = [f"{state.voices} voices", f"load {100 * load:.1f} %", f"program {state.program}"]
    parts += [f"{state.late} late"] if state.late else []
    parts += [f"{state.dropped} dropped"] if state.dropped else []
    parts += [f"device ran dry {counted(device.dry, 'time')}"] if device is not None and device.dry else []
    return ", ".join([*parts, *([more] if more else [])])
