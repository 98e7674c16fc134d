"""Named controls of held sounds: what is asked for beside what the played sound does."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np

from lib.page import table
from timbrespace.audio.arrays.tones import describe_tones, harmonics
from timbrespace.audio.describe import TONES
from timbrespace.live import Engine

RATE, NOTE, FRAME = 48_000, 57, 4096
AMOUNTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
KINDS = {"bank": "bank", "spectrum": "inverse transform"}
_SETTLED, _MEASURED = RATE // 20, RATE // 4  # samples after a move, and that are measured


def controls_part(files: list[Path]) -> str:
    """Measures the sixteen sounds of each instrument whose latent varies in time."""
    rows = [row for file in files for kind in KINDS for row in _rows(file, kind)]
    columns = (
        "instrument", "held by", "control", "a spread", "range", "correlation", "gain", "at +1, median", "at -1, median",
        "the others, median", "the others, 90 % under", "level, largest change (dB)", "first move of a sound (ms)", "each further one (ms)",
    )  # fmt: skip
    return table(columns, rows) + "\n\n" + _NOTE


_NOTE = """Each of the sixteen sounds at note 57, moved by ±0.5, ±1 and ±2 spreads as far as the control's range goes, and rendered.
Correlation, and gain (slope of a line), of spreads asked for and measured on the sound that is played. The others: change of the other
controls that the instrument offers, in spreads, over what was asked. Level: root mean square against the same sound unmoved. ms: processor
time of decoding, steering and shaping a spectrum; the first one of a sound measures its slopes."""


def _rows(file: Path, kind: str) -> list[list[Any]]:
    with Engine(file, held=kind) as engine:
        source: Any = engine.sounds.sources[0]
        return [
            _row(engine, source, file.stem, kind, name)
            for name, ends in source.controls.items()
            if sum(ends[0] <= one <= ends[1] for one in AMOUNTS) > 1
        ]


def _row(engine: Engine, source: Any, title: str, kind: str, name: str) -> list[Any]:
    low, high = source.controls[name]
    place, offered = list(TONES).index(name), [list(TONES).index(one) for one in source.controls]
    asked, got, others, levels, costs = [], [], [], [], []
    for pad in range(len(source.pads)):
        engine.pad(pad)
        engine.note_on(NOTE, 100)
        plain, loud, _ = _measured(engine, source)
        for number, amount in enumerate(one for one in AMOUNTS if low <= one <= high):
            engine.set_control(name, amount)
            moved, louder, seconds = _measured(engine, source)
            asked.append(amount)
            got.append((moved - plain)[place])
            others += [abs((moved - plain)[one] / amount) for one in offered if one != place]
            levels.append(abs(louder - loud))
            costs.append((number == 0, seconds))
        engine.set_control(name, 0.0)
        engine.note_off(NOTE)
        engine.render(RATE // 4)
    found = np.array(got)
    medians = [float(np.median(found[np.array(asked) == one])) if one in asked else None for one in (1.0, -1.0)]
    spread = f"{source.tones.spreads[place]:.2f} {'octaves' if TONES[name].logarithmic else TONES[name].unit}"
    spans = [1e3 * float(np.median([seconds for first, seconds in costs if first == wanted])) for wanted in (True, False)]
    fit = (f"{np.corrcoef(asked, found)[0, 1]:.2f}", f"{np.polyfit(asked, found, 1)[0]:.2f}")
    spilt = [f"{np.quantile(others, share):.2f}" if others else "" for share in (0.5, 0.9)]
    return [
        title, KINDS[kind], name, spread, f"{low:+g} to {high:+g}", *fit,
        *("" if one is None else f"{one:+.2f}" for one in medians), *spilt,
        f"{max(levels):.1f}", *(f"{one:.0f}" for one in spans),
    ]  # fmt: skip


def _measured(engine: Engine, source: Any) -> tuple[np.ndarray, float, float]:
    """Descriptors in spreads and level in dB of what sounds, and s of processor time of its spectrum."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    engine.render(RATE // 100)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    engine.render(_SETTLED)
    audio = engine.render(_MEASURED)[:, 0].astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(audio, FRAME)[:: FRAME // 4] * np.hanning(FRAME)
    power = np.square(np.abs(np.fft.rfft(frames))).mean(0)
    where = harmonics(len(power), RATE / FRAME, 440 * 2 ** ((NOTE - 69) / 12))
    unit = np.where(source.tones.spreads > 0, source.tones.spreads, 1.0)
    return describe_tones(power[None], where)[0] / unit, 20 * float(np.log10(np.std(audio) + 1e-9)), spent.ru_utime - before.ru_utime
