"""Part `scale`: how long do controls, the map and the search of 5,000 sounds take to compute?"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lib.page import table
from lib.space.map import enlarged
from lib.space.setting import Setting

COUNT = 5_000
SEARCHED = 100  # sounds that are searched for


def section(setting: Setting) -> str:
    """The table: seconds of processor time, user and system, of all threads; and of the clock, for the machine as it is."""
    from timbrespace.space.atlas.layout import fit_layout
    from timbrespace.space.controls.fit import fit_controls
    from timbrespace.space.neighbours.metric import Metric
    from timbrespace.space.neighbours.search import search
    from timbrespace.space.neighbours.sounds import training_sounds

    rows = []
    for what in setting.whats:
        many = enlarged(setting.instrument(what), COUNT)
        clips = many.contents.clips
        assert clips is not None
        latents, sounds = clips.latents, training_sounds(many.contents)
        metric = Metric.fit(sounds)
        some = sounds.only(torch.linspace(0, COUNT - 1, SEARCHED).round().long().tolist())
        parts: list[tuple[str, Callable[[], Any]]] = [
            ("controls, fitted", partial(fit_controls, many.contents)),
            ("map: layout by t-SNE", partial(fit_layout, latents, "tsne")),
            ("search: distance fitted", partial(Metric.fit, sounds)),
            (f"search: {SEARCHED} sounds", partial(search, metric, some, sounds)),
        ]
        total = [0.0, 0.0]
        for name, work in parts:
            spent = timed(work)
            total = [a + b for a, b in zip(total, spent, strict=True)]
            rows.append([what, name, *(f"{seconds:.1f}" for seconds in spent)])
        rows.append([what, "**all**", *(f"**{seconds:.1f}**" for seconds in total)])
    return table(["", f"{COUNT:,} sounds", "processor time (s)", "clock (s)"], rows)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of processor time, user and system, and of the clock that some work takes."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after, end = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, end - start
