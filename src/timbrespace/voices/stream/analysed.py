"""The analysis of a piece of any length: its course in memory, its levels in rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from timbrespace.voices.analysis import PART, analyse_part, find_course
from timbrespace.voices.frames import BANDS, HOP, PARTIALS, Frames, Values
from timbrespace.voices.stream.rows import Piece, Rows

_FRAMES = 8 * PART  # at a time
_REACH = 16  # frames on either side of one that the level of a channel is from


class Analysed:
    """A piece in frames. pitch, periodicity, explained, loudness: of each frame `(frames,)`, as in `Frames`.

    folder: of the unnamed file that holds the levels of a long piece; None: all stay in memory. progress: called with the share done.
    """

    def __init__(self, piece: Piece, *, folder: Path | None = None, progress: Callable[[float], None] | None = None):
        self.piece = piece
        course = find_course(piece, None if progress is None else lambda share: progress(0.5 * share))
        self.pitch, self.periodicity = course.pitch, course.periodicity
        self._levels = Rows(PARTIALS + BANDS, folder)
        explained, loudness, powers = [], [], []
        for first in range(0, len(self), _FRAMES):
            frames = analyse_part(piece, course, first, first + _FRAMES)
            self._levels.append(np.concatenate([frames.partials, frames.noise], axis=1))
            explained.append(frames.explained)
            loudness.append(frames.loudness())
            if piece.channels > 1:
                powers.append(_powers(piece, first, len(frames)))
            if progress is not None:
                progress(0.5 + 0.5 * first / len(self))
        self.explained, self.loudness = np.concatenate(explained), np.concatenate(loudness)
        self._powers = np.concatenate(powers) if powers else None

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.pitch)

    def frames(self, first: int, last: int) -> Frames:
        """Returns frames `first` to before `last`."""
        part, levels = slice(first, last), self._levels[first:last]
        return Frames(self.pitch[part], self.periodicity[part], levels[:, :PARTIALS], levels[:, PARTIALS:], self.explained[part])

    def frames_at(self, places: Values) -> Frames:
        """Returns frames at fractional places, which rise; see `Frames.at`."""
        first = min(int(places[0]), len(self) - 1)
        return self.frames(first, int(places[-1]) + 2).at(places - first)

    def pick(self, numbers: Values) -> Frames:
        """Returns single frames; numbers: which, rising."""
        levels = np.concatenate([self._levels[number : number + 1] for number in map(int, numbers)])
        return Frames(self.pitch[numbers], self.periodicity[numbers], levels[:, :PARTIALS], levels[:, PARTIALS:], self.explained[numbers])

    def pitch_at(self, places: Values) -> Values:
        """Returns the pitch at fractional places `(places,)`."""
        none = np.zeros((len(self), 0))
        return Frames(self.pitch, self.periodicity, none, none, self.explained).at(places).pitch

    def channel_levels(self, places: Values) -> Values:
        """Returns the amplitude of each channel over that of their mean at fractional places `(places, channels)`."""
        if self._powers is None:
            return np.ones((len(places), self.piece.channels))
        ratios = np.sqrt(np.clip((self._powers[:, :-1] + 1e-12) / (self._powers[:, -1:] + 1e-12), 0.0, 16.0))
        numbers = np.arange(len(ratios))
        return np.stack([np.interp(places, numbers, ratio) for ratio in ratios.T], axis=1)

    def close(self) -> None:
        """Frees memory and disk."""
        self._levels.close()


def _powers(piece: Piece, first: int, count: int) -> Values:
    """The power of each channel and of their mean around frames `(count, channels + 1)`."""
    start, stop = (first - _REACH) * HOP, (first + count + _REACH) * HOP
    audio = piece.audio[max(start, 0) : stop]
    audio = np.pad(audio, ((max(0, -start), max(0, stop - max(start, 0) - len(audio))), (0, 0)))
    every = np.concatenate([audio, audio.mean(axis=1, keepdims=True, dtype=np.float64)], axis=1)
    hops = np.square(every, dtype=np.float64).reshape(-1, HOP, every.shape[1]).sum(axis=1)
    total = np.pad(np.cumsum(hops, axis=0), ((1, 0), (0, 0)))
    at = np.arange(count)
    return np.asarray(total[at + 2 * _REACH] - total[at])
