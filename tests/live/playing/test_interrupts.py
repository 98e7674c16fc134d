"""Ctrl-C ends playing, wherever the program is at that moment."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np

from timbrespace.live.device.loop import play_live


class Finalised:
    """An object whose end meets Ctrl-C: Python drops exceptions there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(100_000))  # the handler runs between two instructions


def test_an_interrupt_in_a_finaliser_ends_playing() -> None:
    steps = []

    def step(seconds: float) -> None:
        steps.append(seconds)
        if len(steps) == 3:
            Finalised()

    none = np.zeros((0, 2), np.float32)
    engine: Any = SimpleNamespace(housekeep=lambda: None, state=lambda: None)
    device: Any = SimpleNamespace(take=lambda: (none, 0), state=lambda: SimpleNamespace(active=True), info=SimpleNamespace(name="none"))
    view: Any = SimpleNamespace(say=lambda text: None, update=lambda *found, more: None)
    before = signal.getsignal(signal.SIGINT)
    play_live(engine, device, view=view, seconds=20, step=step)
    assert len(steps) == 3
    assert signal.getsignal(signal.SIGINT) is before
