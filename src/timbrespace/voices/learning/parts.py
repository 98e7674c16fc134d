"""The parts of recordings that voices are learned from: all of short ones, of hours of them as much as is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from timbrespace.audio.files import probe, read_array
from timbrespace.contracts import AudioFileError
from timbrespace.voices.frames import Values

MOST_SECONDS, MOST_SECONDS_IN_ALL = 600.0, 2_400.0  # of one instrument, and of all; in 4,000 steps each frame is seen 20 times
_PART_SECONDS = 30.0
_EDGE_SECONDS, _QUIET_SECONDS = 2.0, 0.02  # before the end of a part that it may end in, where the sound is quietest; of the mean there


class Part(NamedTuple):
    """A part of a file, in s; all of it is from 0 to infinity."""

    path: Path
    start: float = 0.0
    stop: float = float("inf")


def choose_parts(paths: Sequence[Path], instruments: int, problems: list[tuple[Path, str]]) -> list[Part]:
    """Returns the parts to read. Of more than is needed: parts of 30 s, evenly over all of it.

    instruments: how many share what can be held in memory. problems: gets files that cannot be opened, with reasons.
    """
    lengths: list[tuple[Path, float]] = []
    for path in paths:
        try:
            lengths.append((path, probe(path).seconds))
        except AudioFileError as error:
            problems.append((path, str(error)))
    total, most = sum(seconds for _, seconds in lengths), min(MOST_SECONDS, MOST_SECONDS_IN_ALL / max(instruments, 1))
    if total <= most:
        return [Part(path) for path, _ in lengths]
    count = round(most / _PART_SECONDS)
    ends = np.cumsum([seconds for _, seconds in lengths])
    parts = []
    for place in np.arange(count) * total / count:
        number = int(np.searchsorted(ends, place, side="right"))
        path, seconds = lengths[number]
        start = float(place - ends[number] + seconds)
        parts.append(Part(path, start, min(start + _PART_SECONDS, seconds)))
    return parts


def read_part(part: Part) -> tuple[Values, int]:
    """Returns a part as mono `(time,)`, and its rate in Hz. It begins and ends where the sound is quiet. Raises AudioFileError."""
    info = probe(part.path)
    start = round(part.start * info.sample_rate)
    stop = info.frames if np.isinf(part.stop) else min(info.frames, round(part.stop * info.sample_rate))
    samples, rate = read_array(part.path, start=start, frames=max(1, stop - start), info=info)
    mono = samples.mean(axis=0, dtype=np.float32)
    first = _quietest(mono[: round(_EDGE_SECONDS * rate)], rate) if start else 0
    last = len(mono) if stop == info.frames else len(mono) - _quietest(mono[::-1][: round(_EDGE_SECONDS * rate)], rate)
    return mono[first:last], rate


def _quietest(wave: Values, rate: int) -> int:
    """The place in a recording where the power over 20 ms is least."""
    width = max(1, round(_QUIET_SECONDS * rate))
    if len(wave) <= width:
        return 0
    total = np.pad(np.cumsum(np.square(wave, dtype=np.float64)), (1, 0))
    return int(np.argmin(total[width:] - total[:-width])) + width // 2
