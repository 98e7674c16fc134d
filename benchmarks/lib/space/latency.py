"""Part `latency`: how long does a warm process take for one sound, for a control alone and for a steered, finished sound?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lib.page import table
from lib.space.setting import Setting

REPEATS = 30


def section(setting: Setting) -> str:
    """The table: median and 90th percentile, ms of one core (processor time, so that a busy machine does not count)."""
    rows = []
    for what in setting.whats:
        for name, run in cases(setting, what):
            values = timed(run)
            rows.append([what, name, f"{np.median(values):.1f}", f"{np.percentile(values, 90):.1f}"])
    return table(["", "in a warm process", "median (ms)", "90th percentile (ms)"], rows)


def cases(setting: Setting, what: str) -> list[tuple[str, Callable[[int], object]]]:
    """What is timed, each a function of the number of the repeat."""
    from timbrespace.space.controls.requests import steer_source
    from timbrespace.space.controls.steer import steered, steering_of
    from timbrespace.synthesis.detail.near import core_of
    from timbrespace.synthesis.detail.source import analyse
    from timbrespace.synthesis.rendering import render

    instrument = setting.instrument(what)
    contents = instrument.contents
    sources = [analyse(contents, sound) for sound in setting.unseen(what)]
    steering_of(contents)

    def source(k: int):  # type: ignore[no-untyped-def]
        return sources[k % len(sources)]

    def amount(k: int) -> dict[str, float]:
        return {"brightness": 0.1 * (k % 5 + 1)}

    def request(k: int, *, quick: bool = False):  # type: ignore[no-untyped-def]
        return steer_source(contents, source(k), amount(k), seed=0, name="sound", quick=quick)

    def finished(k: int, *, quick: bool):  # type: ignore[no-untyped-def]
        return render(contents, [request(k, quick=quick)], level=None, out_rate=None, player=core_of(contents))  # type: ignore[arg-type]

    return [
        ("a new sound, finished", lambda k: instrument.generate(1, seed=k)),
        ("a variation with its detail, finished", lambda k: varied(contents, source(k), k)),
        ("the stored control alone", lambda k: steered(contents, source(k).encoded.z, amount(k), corrections=0)),
        ("the control, quick", lambda k: request(k, quick=True)),
        ("the control, corrected by measuring the sound with its detail", request),
        ("a steered sound, quick, finished", lambda k: finished(k, quick=True)),
        ("a steered sound, finished", lambda k: finished(k, quick=False)),
    ]


def varied(contents, source, seed: int):  # type: ignore[no-untyped-def]
    """A variation, as a measure of what its rendering takes."""
    from timbrespace.synthesis.detail.near import core_of
    from timbrespace.synthesis.rendering import render
    from timbrespace.synthesis.request import vary

    requests = vary(contents, source, 1, amount=0.3, seed=seed, name="sound")
    return render(contents, requests, level=None, out_rate=None, player=core_of(contents))  # type: ignore[arg-type]


def timed(run: Callable[[int], object]) -> list[float]:
    """Milliseconds of processor time of each repeat, after three that warm up."""
    values = []
    for k in range(REPEATS + 3):
        start = time.process_time()
        run(k)
        values.append(1000 * (time.process_time() - start))
    return values[3:]
